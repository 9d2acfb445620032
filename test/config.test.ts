import { expect, test } from 'vitest';
import { loadConfig } from '../src/config.ts';
import { configKeys } from '../src/config-keys.ts';
import { StartError } from '../src/errors.ts';

function problemsOf(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(StartError);
    return (error as StartError).message;
  }
  return 'none';
}

test('an empty environment is valid, and listens on loopback', () => {
  const config = loadConfig({});
  expect(config).toMatchObject({
    host: '127.0.0.1',
    port: 4000,
    provider: 'auto',
    dataDir: 'data',
  });
  expect(config.databaseUrl).toBeUndefined();
  expect(Object.isFrozen(config)).toBe(true);
});

test('an empty variable counts as not set', () => {
  expect(loadConfig({ PORT: '', DATABASE_URL: '' }).port).toBe(4000);
});

test('every problem is listed, not only the first', () => {
  const message = problemsOf({
    PORT: '99999',
    THREADS: 'many',
    PROVIDER: 'tpu',
    PUBLIC_URL: 'ftp://x',
  });
  for (const name of ['PORT', 'THREADS', 'PROVIDER', 'PUBLIC_URL']) expect(message).toContain(name);
  expect(message).toContain('PORT is "99999": expected at most 65535');
});

test('listening beyond loopback without authentication is refused unless explicitly allowed', () => {
  for (const HOST of ['0.0.0.0', '::', '192.168.1.4', 'easel.example.com']) {
    expect(problemsOf({ HOST })).toContain('without authentication Easel listens on loopback only');
    expect(loadConfig({ HOST, ALLOW_UNAUTHENTICATED: 'true' }).host).toBe(HOST);
  }
  for (const HOST of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) {
    expect(problemsOf({ HOST })).toBe('none');
  }
  expect(problemsOf({ HOST: '127.0.0.1.example.com' })).toContain('HOST');
});

test('lists are split at commas, and a public address loses its last slash', () => {
  const config = loadConfig({
    ALLOWED_ORIGINS: 'http://localhost:5173, https://studio.example.com,',
    PUBLIC_URL: 'https://easel.example.com/',
  });
  expect(config.allowedOrigins).toEqual(['http://localhost:5173', 'https://studio.example.com']);
  expect(config.publicUrl).toBe('https://easel.example.com');
});

test('origins are as browsers write them, and hosts are names', () => {
  const config = loadConfig({
    ALLOWED_ORIGINS: 'http://X:5173/,https://studio.example.com:443,tauri://localhost',
    ALLOWED_HOSTS: 'Easel.example.com,[::1]',
  });
  expect(config.allowedOrigins).toEqual([
    'http://x:5173',
    'https://studio.example.com',
    'tauri://localhost',
  ]);
  expect(config.allowedHosts).toEqual(['easel.example.com', '[::1]']);
});

test('an origin or a host that could match nothing is refused', () => {
  for (const origin of ['localhost:5173', 'http://x/studio', 'http://x?y', '*', 'http://a@x']) {
    expect(problemsOf({ ALLOWED_ORIGINS: `http://fine,${origin}` })).toContain(
      `expected scheme and host, such as http://localhost:5173, but "${origin}" is not`,
    );
  }
  for (const host of ['x:443', 'http://x', 'x/y', '::1', '*.example.com']) {
    expect(problemsOf({ ALLOWED_HOSTS: `fine,${host}` })).toContain(
      `expected names without scheme and port, such as easel.example.com, but "${host}" is not`,
    );
  }
});

test.each([
  'mysql://easel:hunter2@db/easel',
  'postgres:/easel:hun/ter2@db',
  'host=db user=easel password=hunter2',
  'jdbc:postgresql://db/easel?password=hunter2',
  'easel:p@hunter2@db',
])('a password in DATABASE_URL (%s) is not repeated in the message', (url) => {
  expect(() => loadConfig({ DATABASE_URL: url })).toThrow(
    'DATABASE_URL (not shown here): expected a URL that starts with postgresql://',
  );
});

test('a password in another URL is not repeated either', () => {
  expect(() => loadConfig({ PUBLIC_URL: 'ftp://easel:hun@ter2@db' })).toThrow(
    'PUBLIC_URL is "ftp://…@db"',
  );
});

test('every key has a description', () => {
  expect(configKeys.filter(({ reason }) => reason.length < 10)).toEqual([]);
});

test.each(['s3c@ret/x', 'a#b', 'a?b', 'a/b', 'a:b@c'])(
  'a password that makes another URL is refused, and no part of it is shown: %s',
  (password) => {
    const message = problemsOf({ DATABASE_URL: `postgresql://ea:${password}@127.0.0.1:5432/ea` });
    if (message === 'none') return; // Some of them a URL can hold.
    expect(message).toContain('DATABASE_URL');
    for (const part of password.split(/[@/#?:]/)) expect(message).not.toContain(`${part}@`);
  },
);

test('access that is half configured is refused', () => {
  const issuer = 'https://id.example';
  expect(problemsOf({ AUTH: 'required', OIDC_ISSUER: issuer })).toContain('OIDC_AUDIENCE');
  expect(problemsOf({ OIDC_ISSUER: issuer, OIDC_AUDIENCE: 'a' })).toContain('AUTH');
  expect(problemsOf({ AUTH: 'required', OIDC_AUDIENCE: 'a' })).toContain('OIDC_ISSUER');
  expect(problemsOf({ HOST: '0.0.0.0' })).toContain('AUTH=required');
  expect(loadConfig({ HOST: '0.0.0.0', AUTH: 'required' }).isAccessRequired).toBe(true);
  for (const key of ['abc', 'g'.repeat(64)]) {
    const message = problemsOf({ LINK_KEYS: key });
    expect(message).toContain('LINK_KEYS');
    expect(message).not.toContain(key);
  }
  expect(problemsOf({ TRUSTED_PROXIES: 'proxy.example' })).toContain('proxy.example');
});
