import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Config, loadConfig } from '../config.ts';
import { openDatabase } from '../database/client.ts';
import { localUserName } from '../database/installation.ts';
import { reachDatabase } from '../database/reach.ts';
import { clipped, DomainError, StartError } from '../errors.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';
import { printable } from '../printable.ts';
import { linkKeysOf } from '../roles/access.ts';
import { note, operator } from '../services/access/audit.ts';
import { addKey, keyProblems, lockUser, revokeWithMade, working } from '../services/access/keys.ts';
import { scopes as allScopes, type Scope, userLimits } from '../services/access/limits.ts';
import { isScope, scopesOfRole } from '../services/access/scopes.ts';
import { addUser, removeUser, setRole } from '../services/access/users.ts';
import { refuse } from '../services/input/problems.ts';
import { nameProblems } from '../services/input/text.ts';
import { rotateLinkKeys } from '../services/library/link-keys.ts';
import { readArguments } from './arguments.ts';

const usage = `Usage: npm run keys -- <what> [options]

  create [--admin] [--user <name>] [--name <text>] [--scopes READ,GENERATE] [--days <n>]
                        make an API key and print it, once. Without --user: of the first administrator, "${localUserName}".
                        A user that does not exist is made: an administrator with --admin, else a member.
                        Scopes: ${allScopes.join(', ')}; by default all that the user's role allows.
  list                  keys that work: how they begin, user, scopes, last use
  revoke <prefix>       end a key, and those that were made with it
  users                 users and their roles
  role <name> <ADMIN|MEMBER>
                        give a user another role
  remove <name>         end all keys, tokens and links of a user; what it made is kept
  rotate-links          sign links with a new key; those signed with the last one stay valid until they expire
  audit                 the audit as JSON, one entry a line, oldest first

It may run while a server uses the same data folder; what is open with an ended key is closed within a second.

  --help   this text
`;

const options = {
  admin: { type: 'boolean' },
  user: { type: 'string' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  days: { type: 'string' },
} as const;

type Asked = {
  readonly words: readonly string[];
  readonly values: {
    admin?: boolean;
    user?: string;
    name?: string;
    scopes?: string;
    days?: string;
  };
  readonly config: Pick<Config, 'dataDir' | 'databaseUrl' | 'linkKeys'>;
  readonly say: (line: string) => void;
};
type Action = (client: PrismaClient, asked: Asked) => Promise<void>;

const actions: Readonly<Record<string, { readonly words: number; readonly act: Action }>> = {
  create: { words: 0, act: create },
  list: { words: 0, act: list },
  revoke: { words: 1, act: revoke },
  users: { words: 0, act: users },
  role: { words: 2, act: role },
  remove: { words: 1, act: remove },
  'rotate-links': { words: 0, act: rotateLinks },
  audit: { words: 0, act: audit },
};

/** @returns the exit code */
export async function run(
  argv: readonly string[],
  config: Asked['config'] = loadConfig(),
  say: (line: string) => void = console.log,
): Promise<number> {
  const parsed = readArguments(argv, { command: 'npm run keys', options, maxWords: 3 });
  if (parsed === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const [name = '', ...words] = parsed.words;
  const action = actions[name];
  if (action === undefined || words.length !== action.words) {
    const known = Object.keys(actions).join(', ');
    const got = parsed.words.length === 0 ? 'nothing' : `"${clipped(parsed.words.join(' '))}"`;
    throw new StartError(
      `Expected one of ${known}, with what it needs, but got ${got}: see npm run keys -- --help`,
    );
  }
  const database = await reachOrMake(config);
  try {
    await action.act(database.client, { words, values: parsed.values, config, say });
    return 0;
  } catch (error) {
    throw error instanceof DomainError ? new StartError(error.message) : error;
  } finally {
    await database.close();
  }
}

/** The first key may be made before the first start. */
async function reachOrMake(config: Asked['config']) {
  const folder = resolve(config.dataDir);
  if (config.databaseUrl || existsSync(join(folder, 'database'))) return reachDatabase(config);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return openDatabase(config);
}

async function create(client: PrismaClient, { values, say }: Asked): Promise<void> {
  const userName = values.user ?? localUserName;
  const isAdmin = values.admin === true;
  refuse(nameProblems(['user'], userName, userLimits.name));
  const made = await client.$transaction(async (tx) => {
    const known = await tx.user.findUnique({ where: { name: userName } });
    if (known?.removedAt) throw new StartError(`Expected a user, but "${userName}" was removed`);
    const role = isAdmin ? 'ADMIN' : 'MEMBER';
    const user = known ?? (await addUser(tx, operator, { name: userName, role }));
    if (isAdmin && user.role !== 'ADMIN') {
      throw new StartError(
        `Expected an administrator, but "${userName}" is a member: run "npm run keys -- role ${userName} ADMIN" first`,
      );
    }
    const scopes = readScopes(values.scopes) ?? [...scopesOfRole(user.role)];
    const name = values.name ?? (isAdmin ? 'administrator' : 'key');
    refuse(keyProblems({ name, scopes }, scopesOfRole(user.role)));
    const expiresAt = readDays(values.days);
    return addKey(tx, operator, { name, scopes, expiresAt, ownerId: user.id, createdById: null });
  });
  const { scopes, expiresAt } = made.apiKey;
  const until = expiresAt ? `until ${expiresAt.toISOString()}` : 'until it is revoked';
  process.stderr.write(
    `A key of "${printable(userName)}" for ${scopes.join(', ')}, ${until}. It is shown this once:\n`,
  );
  say(made.secret);
}

function readScopes(text: string | undefined): Scope[] | null {
  if (text === undefined) return null;
  return text.split(',').map((part) => {
    const scope = part.trim().toUpperCase();
    if (isScope(scope)) return scope;
    throw new StartError(
      `Expected scopes out of ${allScopes.join(', ')}, with commas between, but got "${clipped(part)}"`,
    );
  });
}

function readDays(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const days = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (days < 1) {
    throw new StartError(
      `Expected a number of days from 1 on as --days, but got "${clipped(text)}"`,
    );
  }
  return new Date(Date.now() + days * 24 * 60 * 60 * 1000);
}

async function list(client: PrismaClient, { say }: Asked): Promise<void> {
  const keys = await client.apiKey.findMany({
    where: { ...working(), owner: { removedAt: null } },
    include: { owner: true },
    orderBy: { createdAt: 'asc' },
  });
  for (const { prefix, owner, scopes, lastUsedAt, expiresAt, name } of keys) {
    const used = lastUsedAt ? `used ${lastUsedAt.toISOString()}` : 'never used';
    const until = expiresAt ? `, until ${expiresAt.toISOString()}` : '';
    say(
      `${prefix}…  ${printable(owner.name)}  ${scopes.join(',')}  ${used}${until}  ${printable(name)}`,
    );
  }
}

async function revoke(client: PrismaClient, { words, say }: Asked): Promise<void> {
  const prefix = (words[0] ?? '').replace(/…$/, '');
  await client.$transaction(async (tx) => {
    const found = await tx.apiKey.findMany({ where: { prefix, ...working() } });
    if (found.length !== 1) {
      throw new StartError(
        `Expected how one key begins, as "npm run keys -- list" shows it, but ${found.length} begin with "${clipped(prefix)}"`,
      );
    }
    for (const key of found) {
      await lockUser(tx, key.ownerId);
      await revokeWithMade(tx, operator, key);
    }
  });
  say(`${prefix}… no longer works.`);
}

async function users(client: PrismaClient, { say }: Asked): Promise<void> {
  const rows = await client.user.findMany({ where: { removedAt: null }, orderBy: { name: 'asc' } });
  for (const { name, role: its, createdAt } of rows) {
    say(`${printable(name)}  ${its}  since ${createdAt.toISOString()}`);
  }
}

async function role(client: PrismaClient, { words, say }: Asked): Promise<void> {
  const [name = '', wanted = ''] = words;
  if (wanted !== 'ADMIN' && wanted !== 'MEMBER') {
    throw new StartError(`Expected the role ADMIN or MEMBER, but got "${clipped(wanted)}"`);
  }
  await client.$transaction((tx) => setRole(tx, operator, { name, role: wanted }));
  say(`${printable(name)} is ${wanted} now.`);
}

async function remove(client: PrismaClient, { words, say }: Asked): Promise<void> {
  const [name = ''] = words;
  await client.$transaction((tx) => removeUser(tx, operator, name));
  say(`${printable(name)} was removed: its keys, tokens and links no longer work.`);
}

async function rotateLinks(client: PrismaClient, { config, say }: Asked): Promise<void> {
  if (config.linkKeys !== undefined) {
    throw new StartError(
      'Expected the keys of links in the data folder, but they are in LINK_KEYS: put a new one before them there',
    );
  }
  await linkKeysOf({ config, client });
  rotateLinkKeys(resolve(config.dataDir));
  await note(client, operator, { action: 'links.rotate' });
  say('New links are signed with a new key.');
}

/** Entries that are read at once. */
const auditPage = 500;

async function audit(client: PrismaClient, { say }: Asked): Promise<void> {
  const orderBy = [{ createdAt: 'asc' }, { id: 'asc' }] as const;
  for (let cursor: string | undefined; ; ) {
    const rows = await client.auditEntry.findMany({
      ...(cursor === undefined ? {} : { cursor: { id: cursor }, skip: 1 }),
      ...{ orderBy: [...orderBy], take: auditPage },
    });
    for (const row of rows) say(JSON.stringify(row));
    cursor = rows.at(-1)?.id;
    if (rows.length < auditPage) return;
  }
}
