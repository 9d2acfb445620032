import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../src/database/client.ts';
import { currentOwner, takeOwnership } from '../../src/database/ownership.ts';
import { copyDataFolder } from '../support/database.ts';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'easel-owner-'));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill));
  rmSync(folder, { recursive: true, force: true });
});

type SecondProcess = { child: ChildProcess; lines: AsyncIterator<string> };

/** Opens the folder in a process of its own; it writes rows for as long as it lives. */
function secondProcess(): SecondProcess {
  const script = fileURLToPath(new URL('second-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

async function nextLine({ lines }: SecondProcess): Promise<string> {
  const { value, done } = await lines.next();
  return done ? 'ended' : value;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('of several starts at once, one opens the folder and the others name its owner', async () => {
  await copyDataFolder(folder);
  const processes = [secondProcess(), secondProcess(), secondProcess()];
  const answers = await Promise.all(processes.map(nextLine));
  const winners = processes.filter((_, i) => answers[i] === 'open');
  expect(winners).toHaveLength(1);
  const refusals = answers.filter((answer) => answer !== 'open');
  for (const refusal of refusals) {
    expect(refusal).toBe(
      `StartError: Expected the data folder ${folder} to be free, but process ${winners[0]?.child.pid} is using it: stop that one first, or set DATA_DIR to another folder`,
    );
  }
  await expect(openDatabase({ dataDir: folder })).rejects.toThrow('is using it');
});

test('after a kill, one of several starts takes over, with every acknowledged row', async () => {
  await copyDataFolder(folder);
  let acknowledged = 0;
  for (let round = 0; round < 3; round++) {
    const processes = round === 0 ? [secondProcess()] : [secondProcess(), secondProcess()];
    const answers = await Promise.all(processes.map(nextLine));
    expect(answers.filter((answer) => answer === 'open')).toHaveLength(1);
    const winner = processes[answers.indexOf('open')]!;
    const from = acknowledged;
    while (acknowledged < from + 10 + round * 7) acknowledged = Number(await nextLine(winner));
    winner.child.kill('SIGKILL');
    for (let line = await nextLine(winner); line !== 'ended'; line = await nextLine(winner)) {
      acknowledged = Number(line);
    }
    expect(await currentOwner(folder)).toBeNull();
  }
  const database = await openDatabase({ dataDir: folder });
  const events = await database.client.event.findMany({ orderBy: { number: 'asc' } });
  await database.close();
  // One more may have been committed, and its answer lost with the process, in each round.
  expect(events.length).toBeGreaterThanOrEqual(acknowledged);
  expect(events.map(({ number }) => Number(number))).toEqual(events.map((_, i) => i + 1));
}, 180_000);

test('after a release the next owner follows at once, and files do not pile up', async () => {
  for (let round = 0; round < 5; round++) {
    const ownership = await takeOwnership(folder, folder, 'unused');
    expect((await currentOwner(folder))?.pid).toBe(process.pid);
    await expect(takeOwnership(folder, folder, 'unused')).rejects.toThrow('is using it');
    await ownership.release();
    expect(await currentOwner(folder)).toBeNull();
  }
  expect(readdirSync(folder)).toEqual(['owner.5']);
});

test.each([
  '',
  'null',
  '[]',
  '{"pid":7}',
  '{"pid":7,"socket":"","database":""}',
  '\0\0\0',
  '{"pid":',
])(
  'an owner file that says %j is followed where nobody has the database open, else not',
  async (contents) => {
    const database = join(folder, 'database.sock');
    writeFileSync(join(folder, 'owner.3'), contents);
    const server = createServer((caller) => caller.destroy());
    await new Promise<void>((resolve) => server.listen(database, resolve));
    await expect(takeOwnership(folder, folder, database)).rejects.toThrow(
      `Expected the data folder ${folder} to be free, but another process is using it`,
    );
    expect(await currentOwner(folder)).toBeNull();
    await new Promise((resolve) => server.close(resolve));
    const ownership = await takeOwnership(folder, folder, database);
    expect((await currentOwner(folder))?.pid).toBe(process.pid);
    await ownership.release();
  },
);

test('an owner file that is a folder is named, and a number too large to follow is none', async () => {
  mkdirSync(join(folder, 'owner.3'));
  await expect(takeOwnership(folder, folder, 'unused')).rejects.toThrow(
    `Expected to read ${join(folder, 'owner.3')}, but it is a folder: remove it`,
  );
  rmdirSync(join(folder, 'owner.3'));
  writeFileSync(join(folder, 'owner.100000000000000000000'), '');
  const ownership = await takeOwnership(folder, folder, 'unused');
  await ownership.release();
});

test('of many starts at once, never two own the folder', async () => {
  let owners = 0;
  const attempt = async () => {
    const ownership = await takeOwnership(folder, folder, 'unused').catch(() => null);
    if (ownership === null) return;
    owners++;
    expect(owners).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    owners--;
    await ownership.release();
  };
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (let i = 0; i < 10; i++) await attempt();
    }),
  );
});
