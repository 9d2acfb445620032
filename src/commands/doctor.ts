import { join, resolve } from 'node:path';
import { closedPipe } from '../closed-pipe.ts';
import { type Config, loadConfig } from '../config.ts';
import { reachDatabase } from '../database/reach.ts';
import { printable } from '../printable.ts';
import { examine } from '../services/maintenance/doctor.ts';
import { openLocalStorage } from '../storage/local.storage.ts';
import { readArguments } from './arguments.ts';
import { examineInstallation, versionsOf } from './installation.ts';

const usage = `Usage: npm run doctor [-- --repair]

Checks an installation: that only its owner can read the data folder, that its disk has room, that the database can be
written to, that every model can be used; that every image of the database has its file, whole, and every file its row. One
line for each finding. It may run while a server uses the same data folder. Exit code 1 where something is wrong and was left so.

  --repair   delete the files that no row refers to, and close the data folder to others
  --help     this text
`;

type Reported = {
  readonly kind: string;
  readonly key: string;
  readonly text: string;
  readonly isRepaired: boolean;
};

/** @returns the exit code */
export async function run(
  argv: readonly string[],
  config: Pick<Config, 'dataDir' | 'databaseUrl' | 'modelsDir'> = loadConfig(),
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
    say(await versionsOf(database));
    let [found, left] = [0, 0];
    const report = ({ kind, key, text, isRepaired }: Reported, repaired: string) => {
      found++;
      if (!isRepaired) left++;
      say(`${kind}: ${printable(key)}: ${printable(text)}${isRepaired ? ` (${repaired})` : ''}`);
    };
    for await (const finding of examineInstallation(config, database, { repair })) {
      report(finding, 'closed');
    }
    for await (const finding of examine({ client, storage }, { repair })) {
      if (closed.aborted) return 1;
      report(finding, 'deleted');
    }
    say(`${await client.asset.count()} images, ${found} findings, ${found - left} repaired`);
    return left === 0 ? 0 : 1;
  } finally {
    await database.close();
  }
}
