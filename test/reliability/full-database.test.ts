import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { draws } from '../services/support/stand-in-engine.ts';
import { copyDataFolder } from '../support/database.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

// A small disk in memory for the whole data folder. To mount it takes root, as containers have it.
const dataDir = mkdtempSync(join(tmpdir(), 'easel-full-'));
const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=150m', 'tmpfs', dataDir]);
const isMounted = mount.status === 0;

let server: TestServer;
beforeAll(async () => {
  if (!isMounted) return;
  await copyDataFolder(dataDir);
  server = await startTestServer({ generate: draws(), config: { dataDir } });
});
afterAll(async () => {
  await server?.close();
  if (isMounted) spawnSync('umount', [dataDir]);
  rmdirSync(dataDir);
});

const create = 'mutation { createProject(input: { name: "kept" }) { project { id } } }';
const count = '{ projects(first: 1) { totalCount } }';

// Without a disk of its own there is none to fill.
test.skipIf(!isMounted)(
  'where the disk of the database is full, changes are refused with a code, and what was acknowledged is there later',
  async () => {
    expect((await server.post(create)).errors).toEqual([]);
    const filler = join(dataDir, 'filler');
    const { bavail, bsize } = statfsSync(dataDir);
    writeFileSync(filler, Buffer.alloc(bavail * bsize));
    // The database writes its log in pieces; the next change needs a new one, and finds no room.
    await server.app.database.client.$executeRaw`SELECT pg_switch_wal()`.catch(() => {});
    const codes = new Set<string | undefined>();
    for (let tries = 0; tries < 5; tries++) {
      const { errors } = await server.post(create);
      codes.add(errors[0]?.extensions.code);
    }
    expect(codes.has(undefined)).toBe(false);
    expect(codes.has('INTERNAL_SERVER_ERROR')).toBe(false);

    rmSync(filler);
    await vi.waitFor(async () => expect((await server.post(create)).errors).toEqual([]), {
      timeout: 30_000,
      interval: 200,
    });
    expect((await server.gql(count)).projects.totalCount).toBe(3);
  },
);
