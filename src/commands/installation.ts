import { chmodSync, existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { checkDatabase, type Database } from '../database/client.ts';
import { openCatalog } from '../inference/models/listing.ts';

/** What is wrong with an installation, apart from its images; `text` says what to do about it. */
export type InstallationFinding = {
  readonly kind: 'mode' | 'disk' | 'database' | 'model' | 'folder';
  /** What it is about: a path, a model's name. */
  readonly key: string;
  readonly text: string;
  readonly isRepaired: boolean;
};

/** Below this an image of 4096 × 4096 and the database's own log might not find room. */
const roomWanted = 1e9;

/** The models that come with the program. */
const ownModels = fileURLToPath(new URL('../../models', import.meta.url));

/** One line: what runs here, in which version. */
export async function versionsOf({ client, kind }: Database): Promise<string> {
  const [row] = await client.$queryRaw<{ version: string }[]>`
    select current_setting('server_version') as version`;
  const { version } = packageOf('../../package.json');
  const onnx = packageOf(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  return `Easel ${version}, Node ${process.versions.node}, ONNX Runtime ${onnx.version}, PostgreSQL ${row?.version} (${kind})`;
}

function packageOf(path: string): { version: string } {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
}

/** Modes, disk, database and models. Safe while a server works. With `repair`, modes are mended. */
export async function* examineInstallation(
  { dataDir, modelsDir }: Pick<Config, 'dataDir' | 'modelsDir'>,
  { client }: Database,
  { repair }: { repair: boolean },
): AsyncGenerator<InstallationFinding> {
  const folder = resolve(dataDir);
  yield* examineModes(folder, repair);
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < roomWanted) {
    const free = `${Math.floor((bavail * bsize) / 1e6)} MB`;
    yield finding('disk', folder, `only ${free} are free: make room before images are lost`);
  }
  const problem = await checkDatabase(client).catch(() => 'it does not answer');
  if (problem !== null) yield finding('database', 'DATABASE_URL', problem);
  yield* examineModels(modelsDir);
}

/** The folder, and what lies directly in it: what is deeper can be reached through these alone. */
function* examineModes(folder: string, repair: boolean): Generator<InstallationFinding> {
  if (process.platform === 'win32') return; // It has no such modes.
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) {
    if (!existsSync(path)) continue; // Gone meanwhile.
    const { mode } = statSync(path);
    if ((mode & 0o077) === 0) continue;
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    if (repair) chmodSync(path, mode & 0o700);
    const text = `its mode is ${octal}, so that others can read it: run "chmod go-rwx", or this command with --repair`;
    yield { ...finding('mode', path, text), isRepaired: repair };
  }
}

async function* examineModels(modelsDir: string | undefined): AsyncGenerator<InstallationFinding> {
  const skipped: InstallationFinding[] = [];
  const { listings } = await openCatalog([ownModels, ...(modelsDir ? [resolve(modelsDir)] : [])], {
    onSkip: ({ folder, reason }) => skipped.push(finding('folder', folder, `skipped: ${reason}`)),
  });
  for (const { description } of listings) {
    if (description.available) continue;
    yield finding('model', description.name, description.unavailableReason ?? 'it cannot be used');
  }
  yield* skipped;
}

function finding(
  kind: InstallationFinding['kind'],
  key: string,
  text: string,
): InstallationFinding {
  return { kind, key, text, isRepaired: false };
}
