import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { draws } from '../services/support/stand-in-engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

// A disk of its own for the images: a small one in memory. To mount it takes root, as containers have it.
const dataDir = mkdtempSync(join(tmpdir(), 'easel-full-'));
const files = join(dataDir, 'files');
mkdirSync(files);
writeFileSync(join(dataDir, 'easel.json'), '{"format":1}\n');
const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', files]);
const isMounted = mount.status === 0;

let server: TestServer;
beforeAll(async () => {
  if (isMounted) server = await startTestServer({ generate: draws(), config: { dataDir } });
});
afterAll(async () => {
  await server?.close();
  if (isMounted) spawnSync('umount', [files]);
  rmSync(dataDir, { recursive: true });
});

const generate = `mutation ($seed: Seed!) {
  generate(input: { settings: { prompt: "a boat", seed: $seed }, waitSeconds: 60 }) {
    generation { status failure { code message retryable } images { url } }
  }
}`;
const draw = async (seed: number) => (await server.gql(generate, { seed })).generate.generation;

// Without a disk of its own there is none to fill.
test.skipIf(!isMounted)(
  'a full disk fails the generation with a code; the server lives, and goes on when there is room',
  async () => {
    const before = await draw(1);
    const filler = join(files, 'filler');
    const { bavail, bsize } = statfsSync(files);
    writeFileSync(filler, Buffer.alloc(bavail * bsize));
    expect(await draw(2)).toMatchObject({
      status: 'FAILED',
      failure: { code: 'QUOTA_EXCEEDED', retryable: true },
      images: [],
    });
    expect((await fetch(before.images[0].url)).status).toBe(200);
    rmSync(filler);
    expect(await draw(3)).toMatchObject({ status: 'SUCCEEDED' });
  },
);
