import { join, resolve } from 'node:path';
import { closedPipe } from '../closed-pipe.ts';
import { type Config, loadConfig } from '../config.ts';
import { reachDatabase } from '../database/reach.ts';
import { examine } from '../services/maintenance/doctor.ts';
import { openLocalStorage } from '../storage/local.storage.ts';
import { readArguments } from './arguments.ts';

const usage = `Usage: npm run doctor [-- --repair]

Checks that every image of the database has its file, whole, and that every file has its row: one line for each
finding. It may run while a server uses the same data folder. Exit code 1 where something is wrong and was left so.

  --repair   delete the files that no row refers to
  --help     this text
`;

/** @returns the exit code */
export async function run(
  argv: readonly string[],
  config: Pick<Config, 'dataDir' | 'databaseUrl'> = loadConfig(),
  say: (line: string) => void = console.log,
): Promise<number> {
  const options = { repair: { type: 'boolean' } } as const;
  const parsed = readArguments(argv, { command: 'npm run doctor', options, maxWords: 0 });
  if (parsed === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const repair = parsed.values.repair === true;
  const closed = closedPipe();
  const database = await reachDatabase(config);
  try {
    const storage = await openLocalStorage(join(resolve(config.dataDir), 'files'));
    const { client } = database;
    let [found, left] = [0, 0];
    for await (const finding of examine({ client, storage }, { repair })) {
      if (closed.aborted) return 1;
      const { kind, key, text, isRepaired } = finding;
      found++;
      if (!isRepaired) left++;
      say(`${kind}: ${key}: ${text}${isRepaired ? ' (deleted)' : ''}`);
    }
    say(`${await client.asset.count()} images, ${found} findings, ${found - left} repaired`);
    return left === 0 ? 0 : 1;
  } finally {
    await database.close();
  }
}
