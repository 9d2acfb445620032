import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEmbedded } from '../database/embedded.ts';
import { migrate } from '../database/migrate.ts';
import { schemaDiff } from '../database/schema-diff.ts';
import { StartError } from '../errors.ts';
import { readArguments } from './arguments.ts';

const prismaFolder = fileURLToPath(new URL('../../prisma', import.meta.url));

const usage = `Usage: npm run migrate -- <name>

Writes the migration that brings a database from the last one to what prisma/schema.prisma says now. The next start
applies it. The name consists of small letters, digits and underscores.

  --help   this text
`;

/** @returns the exit code */
export async function run(argv: string[]): Promise<number> {
  const parsed = readArguments(argv, { command: 'npm run migrate', options: {}, maxWords: 1 });
  if (parsed === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const name = parsed.words[0] ?? '';
  if (!/^[a-z0-9_]{1,60}$/.test(name)) {
    throw new StartError(
      `Expected a name of small letters, digits and underscores, as in "npm run migrate -- add_tags", but got "${name}"`,
    );
  }
  const sql = await pendingSql(prismaFolder);
  if (sql === '') {
    console.log('The migrations match prisma/schema.prisma: there is nothing to write.');
    return 0;
  }
  const timestamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = join(prismaFolder, 'migrations', `${timestamp}_${name}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'migration.sql'), sql);
  console.log(`Wrote ${join(folder, 'migration.sql')}: read it before you commit it.`);
  return 0;
}

/** What the migrations in `folder` lack of its `schema.prisma`, asked of a throw-away database. */
export async function pendingSql(folder: string): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'easel-migrate-'));
  try {
    const database = await openEmbedded(dataDir);
    try {
      await migrate(database.connection, join(folder, 'migrations'));
      return await schemaDiff(
        database.connection,
        readFileSync(join(folder, 'schema.prisma'), 'utf8'),
      );
    } finally {
      await database.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
