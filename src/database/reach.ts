import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StartError } from '../errors.ts';
import { connectClient, type Database, type DatabaseConfig, openDatabase } from './client.ts';
import { embeddedConnection } from './embedded.ts';
import { currentOwner } from './ownership.ts';

/**
 * The database for a command: through the process that owns the data folder, where there is one; else the
 * command opens it itself, and owns it for as long. @throws StartError
 */
export async function reachDatabase(config: DatabaseConfig): Promise<Database> {
  if (config.databaseUrl) return openDatabase(config);
  const folder = resolve(config.dataDir);
  if (!existsSync(join(folder, 'database'))) {
    throw new StartError(
      `Expected a data folder at ${folder}, but there is none: start Easel once, or set DATA_DIR`,
    );
  }
  const owner = await currentOwner(folder);
  if (owner === null) return openDatabase(config);
  const connection = embeddedConnection(dirname(owner.database));
  return { kind: 'embedded', connection, ...connectClient(connection, 'embedded') };
}
