import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../src/database/client.ts';
import { openDataFolder } from '../../src/database/data-folder.ts';
import { StartError } from '../../src/errors.ts';
import { copyDataFolder } from '../support/database.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'easel-folder-'));
});
afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

async function refusal(dataDir: string): Promise<string> {
  const error: unknown = await openDatabase({ dataDir }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartError);
  return (error as StartError).message;
}

test('makes the folder, and a database in it although an earlier start died half-way', async () => {
  const dataDir = join(parent, 'new', 'data');
  openDataFolder(dataDir);
  mkdirSync(join(dataDir, 'database.new', 'base'), { recursive: true });
  writeFileSync(join(dataDir, 'database.new', 'PG_VERSION'), '18\n');
  const database = await openDatabase({ dataDir });
  expect(await database.client.user.count()).toBe(1);
  await database.close();
  expect(existsSync(join(dataDir, 'database.new'))).toBe(false);
}, 180_000);

test('keeps what was written, and listens on a private socket alone', async () => {
  const dataDir = join(parent, 'data');
  await copyDataFolder(dataDir);
  const first = await openDatabase({ dataDir });
  await first.client.user.create({ data: { name: 'ada' } });
  expect(first.connection.host).toBe(join(dataDir, 'sockets'));
  expect(statSync(join(dataDir, 'sockets')).mode & 0o777).toBe(0o700);
  await first.close();
  const second = await openDatabase({ dataDir });
  expect(await second.client.user.count({ where: { name: 'ada' } })).toBe(1);
  await second.close();
});

test('a folder too deep for a socket gets a private one in the temporary folder', async () => {
  const deep = join(parent, 'd'.repeat(100));
  const { sockets } = openDataFolder(deep);
  expect(sockets.startsWith(join(tmpdir(), 'easel-'))).toBe(true);
  expect(statSync(sockets).mode & 0o777).toBe(0o700);
  rmSync(sockets, { recursive: true });
});

test("a folder with somebody else's files is left alone", async () => {
  writeFileSync(join(parent, 'thesis.tex'), 'x');
  expect(await refusal(parent)).toBe(
    `Expected the data folder ${parent} to be empty or one of Easel's, but it holds "thesis.tex" and no easel.json: set DATA_DIR to another folder`,
  );
});

test('a folder of another format, or a database of another version, is left alone', async () => {
  writeFileSync(join(parent, 'easel.json'), '{"format":7}');
  expect(await refusal(parent)).toContain('to be of format 1, but');
  writeFileSync(join(parent, 'easel.json'), '{"format":1}');
  mkdirSync(join(parent, 'database'));
  writeFileSync(join(parent, 'database', 'PG_VERSION'), '16\n');
  expect(await refusal(parent)).toContain('to be of PostgreSQL 18, but its version is 16');
});

test('a file in the place of the folder is named', async () => {
  writeFileSync(join(parent, 'file'), '');
  expect(await refusal(join(parent, 'file'))).toContain('it is, or lies below, a file');
  expect(await refusal(join(parent, 'file', 'below'))).toContain('it is, or lies below, a file');
});

// The superuser may write everywhere, whatever a folder's mode says.
test.skipIf(process.getuid?.() === 0)('a folder that cannot be written is named', async () => {
  chmodSync(parent, 0o500);
  expect(await refusal(parent)).toContain('this user may not');
  chmodSync(parent, 0o700);
});
