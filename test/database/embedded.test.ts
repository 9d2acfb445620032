import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../src/database/client.ts';
import { openDataFolder } from '../../src/database/data-folder.ts';
import { currentOwner } from '../../src/database/ownership.ts';
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

test('makes the folder and a database in it, also after a start that died half-way', async () => {
  const dataDir = join(parent, 'new', 'data');
  process.umask(0); // Whatever it was: nobody else may read what is written.
  openDataFolder(dataDir);
  mkdirSync(join(dataDir, 'database.new', 'base'), { recursive: true });
  writeFileSync(join(dataDir, 'database.new', 'PG_VERSION'), '18\n');
  const database = await openDatabase({ dataDir });
  expect(await database.client.user.count()).toBe(1);
  await database.close();
  expect(existsSync(join(dataDir, 'database.new'))).toBe(false);
  const readable = readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    // PostgreSQL's cache of its own catalogue; the folders around it are closed.
    .filter((path) => !path.endsWith('/pg_internal.init'))
    .filter((path) => (statSync(path).mode & 0o077) !== 0);
  expect(readable).toEqual([]);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
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

/** A stack that overflows in the middle of it takes the database's thread down. */
const deadly = `SELECT ${'1+'.repeat(100_000)}1`;

test('a thread that dies is started again with all that was committed, and its error is reported', async () => {
  const dataDir = join(parent, 'data');
  await copyDataFolder(dataDir);
  const reasons: string[] = [];
  let tell = () => {};
  const isBack = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const database = await openDatabase({
    dataDir,
    onDeath: ({ message }) => reasons.push(message),
    onReturn: () => tell(),
  });
  const { client } = database;
  await client.user.create({ data: { name: 'ada' } });
  await expect(client.$queryRawUnsafe(deadly)).rejects.toThrow();
  await isBack;
  expect(reasons).toEqual(['Maximum call stack size exceeded']);
  expect(await client.user.count({ where: { name: 'ada' } })).toBe(1);
  await database.close();
});

test('closing during a restart releases the folder only when the thread has ended', async () => {
  const dataDir = join(parent, 'data');
  await copyDataFolder(dataDir);
  const database = await openDatabase({ dataDir });
  const restarted = once(process, 'worker');
  await expect(database.client.$queryRawUnsafe(deadly)).rejects.toThrow();
  const [thread] = await restarted;
  await database.close();
  expect((thread as Worker).threadId).toBe(-1);
  expect(await currentOwner(dataDir)).toBeNull();
});

test('a connection that breaks in the middle leaves no open transaction for the next ones', async () => {
  const dataDir = join(parent, 'data');
  await copyDataFolder(dataDir);
  const database = await openDatabase({ dataDir });
  const settings = { ...database.connection, max: undefined };
  for (const isInTransaction of [false, true]) {
    const leaver = new pg.Client(settings);
    leaver.on('error', () => {});
    await leaver.connect();
    if (isInTransaction) await leaver.query('BEGIN');
    // An error, and no Sync behind it: the session passes over all that comes.
    const { connection } = leaver as unknown as { connection: pg.Connection };
    const failed = once(connection, 'errorMessage');
    connection.parse({ name: '', text: 'SELECT nonsense', types: [] }, true);
    connection.flush();
    await failed;
    connection.stream.destroy();
    const [row] = await database.client.$queryRaw<{ one: number }[]>`SELECT 1 AS one`;
    expect(row).toEqual({ one: 1 });
    await database.client.user.create({ data: { name: `after ${isInTransaction}` } });
  }
  await database.close();
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

test.each([
  ['pg_wal/000000010000000000000001', ''],
  ['global/1213', 'garbage'],
  ['pg_xact/0000', null],
])(
  'a damaged database (%s) ends a start with one sentence that says how to go on',
  async (file, contents) => {
    const dataDir = join(parent, 'data');
    await copyDataFolder(dataDir);
    const path = join(dataDir, 'database', file);
    rmSync(path);
    if (contents !== null) writeFileSync(path, contents);
    expect(await refusal(dataDir)).toMatch(
      /^Expected to open the embedded database in .*, but got: .* put back a copy of the whole data folder; to begin with an empty database, move that folder away$/,
    );
  },
);

test('a folder of another format, or a database of another version, is left alone', async () => {
  writeFileSync(join(parent, 'easel.json'), '{"format":7}');
  expect(await refusal(parent)).toContain('to be of format 1, but');
  writeFileSync(join(parent, 'easel.json'), '{"format":1}');
  mkdirSync(join(parent, 'database'));
  writeFileSync(join(parent, 'database', 'PG_VERSION'), '16\n');
  expect(await refusal(parent)).toContain('to be of PostgreSQL 18, but its version is 16');
});

test('a file in place of the folder is named in the message', async () => {
  writeFileSync(join(parent, 'file'), '');
  expect(await refusal(join(parent, 'file'))).toContain('it is, or lies below, a file');
  expect(await refusal(join(parent, 'file', 'below'))).toContain('it is, or lies below, a file');
});

// The superuser may write everywhere, whatever a folder's mode says.
test.skipIf(process.getuid?.() === 0)(
  'a folder without write permission is named in the message',
  async () => {
    chmodSync(parent, 0o500);
    expect(await refusal(parent)).toContain('this user has no permission');
    chmodSync(parent, 0o700);
  },
);
