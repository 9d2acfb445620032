import { join, resolve } from 'node:path';
import { type Config, loadConfig } from '../config.ts';
import { reachDatabase } from '../database/reach.ts';
import { StartError } from '../errors.ts';
import { examine } from '../services/maintenance/doctor.ts';
import { openLocalStorage } from '../storage/local.storage.ts';

/**
 * `npm run doctor [-- --repair]`: is every picture there, whole, and known? One line for each finding on the
 * standard output. Also while a server runs on the same data folder.
 * @returns 0 where all is well in the end, else 1
 */
export async function run(
  argv: readonly string[],
  config: Pick<Config, 'dataDir' | 'databaseUrl'> = loadConfig(),
  say: (line: string) => void = console.log,
): Promise<number> {
  const strange = argv.find((argument) => argument !== '--repair');
  if (strange !== undefined) {
    throw new StartError(`Expected --repair or nothing, but got "${strange}"`);
  }
  const database = await reachDatabase(config);
  try {
    const storage = await openLocalStorage(join(resolve(config.dataDir), 'files'));
    const { client } = database;
    let [found, left] = [0, 0];
    for await (const finding of examine({ client, storage }, { repair: argv.length > 0 })) {
      const { kind, key, text, isRepaired } = finding;
      found++;
      if (!isRepaired) left++;
      say(`${kind}: ${key}: ${text}${isRepaired ? ' (deleted)' : ''}`);
    }
    say(`${await client.asset.count()} pictures, ${found} findings, ${found - left} repaired`);
    return left === 0 ? 0 : 1;
  } finally {
    await database.close();
  }
}
