import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const pathOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const read = (name: string) => readFileSync(pathOf(name), 'utf8');

/** Variables that Node or the base image read, not our configuration. */
const foreign = new Set(['NODE_ENV']);
const hasConfigKey = (key: string) =>
  new RegExp(`\\b${key}\\b\\s*:`).test(read('src/config-keys.ts'));

/** Instructions with their arguments; lines that end in a backslash go on. */
const instructions = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => {
    const [name = '', ...rest] = line.trim().split(/\s+/);
    return { name, text: rest.join(' ') };
  });
const all = (name: string) => instructions.flatMap((one) => (one.name === name ? [one.text] : []));
const lastStage = instructions.slice(instructions.map(({ name }) => name).lastIndexOf('FROM'));

type Service = {
  build?: string;
  image?: string;
  environment: Record<string, string | number>;
  ports?: string[];
  volumes: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck: { test: string[] };
};
const compose: { services: Record<'easel' | 'postgres', Service>; volumes: object } = parse(
  read('docker-compose.yml'),
);
const { easel, postgres } = compose.services;

describe('the Dockerfile', () => {
  it('copies only what exists and is not ignored', () => {
    const ignored = read('.dockerignore').split('\n');
    const built = new Set(['dist', 'node_modules']);
    for (const text of all('COPY')) {
      const sources = text.split(' ').slice(0, -1);
      const isFromStage = sources[0]?.startsWith('--from=') ?? false;
      for (const source of sources.filter((word) => !word.startsWith('--'))) {
        const name = source.replace(/^\/app\//, '');
        if (isFromStage && built.has(name)) continue;
        expect(existsSync(pathOf(name)), `${name} exists`).toBe(true);
        expect(ignored).not.toContain(name);
      }
    }
  });

  it('excludes what does not belong into the image', () => {
    const ignored = read('.dockerignore').split('\n');
    for (const name of ['.git', 'node_modules', 'dist', 'data']) expect(ignored).toContain(name);
  });

  it('builds with the commands that the project has', () => {
    const [build = ''] = all('RUN').filter((text) => text.includes('boot.cjs'));
    expect(build).toMatch(/^node scripts\/boot\.cjs build\b/);
    expect(read('scripts/boot.cjs')).toMatch(/\bbuild\b/);
    expect(all('RUN')).toContain('npm ci');
  });

  it('runs the compiled program as process 1, without root rights', () => {
    expect(JSON.parse(all('CMD').at(-1) ?? '')).toEqual(['node', 'dist/main.js']);
    expect(existsSync(pathOf('src/main.ts'))).toBe(true);
    expect(all('ENTRYPOINT')).toEqual([]);
    const names = lastStage.map(({ name }) => name);
    expect(names.indexOf('USER')).toBeGreaterThan(names.lastIndexOf('RUN'));
    expect(all('USER')).toEqual(['node']);
  });

  it('has a Node that the project accepts, in every stage', () => {
    const bases = all('FROM').map((text) => text.split(' ')[0]);
    expect(new Set(bases).size).toBe(1);
    expect(bases[0]).toMatch(/^node:22-slim@sha256:[0-9a-f]{64}$/);
    expect(JSON.parse(read('package.json')).engines.node).toBe('^20.19 || ^22.12 || >=24');
  });

  it('has a health check on the port that it exposes', () => {
    expect(all('EXPOSE')).toEqual(['4000']);
    const [check = ''] = all('HEALTHCHECK');
    const command: unknown = JSON.parse(check.slice(check.indexOf('[')));
    expect(command).toEqual(['node', '-e', expect.stringContaining('PORT ?? 4000}/ready')]);
  });

  it('sets variables that the configuration knows', () => {
    const keys = all('ENV').flatMap((text) => text.split(' ').map((pair) => pair.split('=')[0]));
    expect(keys).toContain('HOST');
    for (const key of keys) {
      if (key && !foreign.has(key)) expect(hasConfigKey(key), `${key} is a key`).toBe(true);
    }
  });
});

describe('docker-compose.yml', () => {
  it('sets variables that the configuration knows', () => {
    for (const key of Object.keys(easel.environment)) {
      expect(hasConfigKey(key), `${key} is a key`).toBe(true);
    }
  });

  it('publishes the default port, to this machine only', () => {
    expect(easel.ports).toEqual(['127.0.0.1:4000:4000']);
    expect(easel.environment['PORT']).toBe(4000);
    expect(read('src/config-keys.ts')).toMatch(/\bPORT\b[^;]*?\b4_?000\b/);
    expect(postgres.ports).toBeUndefined();
  });

  it('connects to the database that it starts, once that is healthy', () => {
    const url = String(easel.environment['DATABASE_URL']).replace(/\$\{[^}]*\}/, 'chosen');
    const { username, hostname, port, pathname } = new URL(url);
    expect(Object.keys(compose.services)).toContain(hostname);
    expect({ username, port, pathname }).toEqual({
      username: postgres.environment['POSTGRES_USER'],
      port: '5432',
      pathname: `/${postgres.environment['POSTGRES_DB']}`,
    });
    expect(easel.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    expect(postgres.image).toMatch(/^postgres:16-alpine@sha256:[0-9a-f]{64}$/);
  });

  it('has no default password', () => {
    const mentions = read('docker-compose.yml').match(/\$\{POSTGRES_PASSWORD[^}]*\}/g) ?? [];
    expect(mentions).toHaveLength(2);
    for (const mention of mentions) expect(mention).toContain(':?');
  });

  it('gives both no more than they need', () => {
    for (const service of [easel, postgres]) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        mem_limit: expect.stringMatching(/^\d+g$/),
        pids_limit: expect.any(Number),
      });
    }
    expect(easel).toMatchObject({ init: true, tmpfs: ['/tmp'] });
    expect(postgres).toMatchObject({ tmpfs: ['/tmp', '/var/run/postgresql'] });
  });

  it('checks the health of both', () => {
    expect(postgres.healthcheck.test.slice(0, 2)).toEqual(['CMD', 'pg_isready']);
    expect(easel.healthcheck.test.slice(0, 3)).toEqual(['CMD', 'node', '-e']);
    expect(easel.healthcheck.test[3]).toContain('http://127.0.0.1:4000/ready');
  });

  it('keeps images and rows in volumes that it declares', () => {
    const mounts = [...easel.volumes, ...postgres.volumes].map((mount) => mount.split(':'));
    expect(mounts.map(([name]) => name)).toEqual(Object.keys(compose.volumes));
    expect(mounts[0]?.[1]).toBe(easel.environment['DATA_DIR']);
    expect(all('VOLUME')).toEqual([easel.environment['DATA_DIR']]);
    expect(existsSync(pathOf(`${easel.build}/Dockerfile`))).toBe(true);
  });
});

describe('the lock file', () => {
  it('has a checksum for every package', () => {
    const { packages } = JSON.parse(read('package-lock.json'));
    const without = Object.entries<{ integrity?: string }>(packages)
      .filter(([path, { integrity }]) => path !== '' && !integrity?.startsWith('sha512-'))
      .map(([path]) => path);
    expect(without).toEqual([]);
  });
});

describe('NOTICE', () => {
  /** Licences that ask for no more than their own text, which lies in the package. */
  const permissive = new Set(
    'MIT ISC 0BSD BSD-2-Clause BSD-3-Clause Apache-2.0 BlueOak-1.0.0 PSF-2.0 Unlicense CC0-1.0'.split(
      ' ',
    ),
  );
  const isPermissive = (license = '') =>
    license.split(/[()]| (?:AND|OR|and) /).every((one) => one === '' || permissive.has(one)) &&
    license !== '';

  it('names every package of the program whose licence asks for more', () => {
    const { packages } = JSON.parse(read('package-lock.json'));
    const notice = read('NOTICE');
    const entries = Object.entries<{ dev?: boolean; license?: string }>(packages);
    const others = entries.filter(
      ([path, { dev, license }]) => path !== '' && !dev && !isPermissive(license),
    );
    const names = others.map(([path]) =>
      path.replace('node_modules/', '').replace(/-(linux|linuxmusl|darwin|win32)-.*$/, ''),
    );
    expect(new Set(names)).toContain('elkjs');
    for (const name of names) expect(notice, `names ${name}`).toContain(name);
  });
});
