import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run } from '../../src/commands/keys.ts';
import { loadConfig } from '../../src/config.ts';
import { startTestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-keys-'));
const config = { ...loadConfig({}), dataDir: join(folder, 'data'), isAccessRequired: true };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The lines that it prints. */
async function keys(...argv: string[]): Promise<string[]> {
  const lines: string[] = [];
  await run(argv, config, (line) => lines.push(line));
  return lines;
}
const refusal = (...argv: string[]) => keys(...argv).catch((error: Error) => error.message);

test('the first key is made before the first start, and further ones while a server runs', async () => {
  const [admin = ''] = await keys('create', '--admin');
  expect(admin).toMatch(/^easel_[\w-]{43}$/);

  const server = await startTestServer({
    generate: createStepwise().generate,
    config: { dataDir: config.dataDir, isAccessRequired: true },
  });
  const { url } = server;
  const ask = (query: string, key: string) =>
    server.post(query, {}, { authorization: `Bearer ${key}` });
  const who = '{ viewer { user { name role } } }';
  try {
    expect((await ask(who, admin)).data.viewer.user).toEqual({ name: 'local', role: 'ADMIN' });

    const [ada = ''] = await keys(
      'create',
      '--user',
      'ada',
      '--scopes',
      'read,generate',
      '--days',
      '1',
    );
    expect((await ask(who, ada)).data.viewer.user).toEqual({ name: 'ada', role: 'MEMBER' });
    expect((await ask('{ users { totalCount } }', ada)).status).toBe(403);
    expect(await keys('users')).toHaveLength(2);

    await keys('role', 'ada', 'ADMIN');
    expect((await ask(who, ada)).data.viewer.user.role).toBe('ADMIN');
    const [shown = ''] = (await keys('list')).filter((line) => line.includes('ada'));
    expect(shown).toContain(ada.slice(0, 14));
    expect(shown).not.toContain(ada);

    await keys('revoke', ada.slice(0, 14));
    expect((await ask(who, ada)).status).toBe(401);
    await keys('remove', 'ada');
    expect(await refusal('create', '--user', 'ada')).toContain('was removed');
    expect(await refusal('remove', 'local')).toContain('the installation itself needs');
    expect(await refusal('role', 'local', 'MEMBER')).toContain('last administrator');
    // What an identity provider says of somebody may be another thing tomorrow.
    const subject = JSON.stringify(['https://issuer.example', 'grace']);
    const { client } = server.app.database;
    await client.user.create({ data: { name: 'grace', role: 'ADMIN', subject } });
    expect(await refusal('role', 'local', 'MEMBER')).toContain('last administrator');

    const audit = (await keys('audit')).map((line) => JSON.parse(line).action);
    expect(audit).toEqual(
      expect.arrayContaining([
        'key.create',
        'user.create',
        'user.role',
        'key.revoke',
        'user.remove',
      ]),
    );
    expect(JSON.stringify(await keys('audit'))).not.toContain(admin);

    await keys('rotate-links');
    const file = join(config.dataDir, 'link-keys');
    expect(existsSync(file) && statSync(file).mode & 0o777).toBe(0o600);
  } finally {
    await server.close();
  }
  expect(url).toContain('127.0.0.1');
});

test.each([
  [[], 'Expected one of create'],
  [['make'], 'but got "make"'],
  [['revoke'], 'Expected one of'],
  [['create', '--scopes', 'read,everything'], '"everything"'],
  [['create', '--days', '0'], '--days'],
  [['create', '--admin', '--user', 'bob', '--scopes', 'none'], '"none"'],
  [['role', 'local', 'KING'], '"KING"'],
  [['revoke', 'easel_nothing'], '0 begin with'],
])('refuses %j in one sentence', async (argv, sentence) => {
  expect(await refusal(...argv)).toContain(sentence);
});
