import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/commands/doctor.ts';
import type { PrismaClient } from '../../src/generated/prisma/client.ts';
import { draws } from '../services/support/stand-in-engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
let client: PrismaClient;
let modelsDir: string | undefined;
beforeAll(async () => {
  server = await startTestServer({ generate: draws() });
  client = server.app.database.client;
});
afterAll(() => server.close());

const generate = `mutation ($seed: Seed!) {
  generate(input: { settings: { prompt: "a boat", seed: $seed }, waitSeconds: 60 }) {
    generation { status images { url(width: 32) } }
  }
}`;

/** An image, and where its file lies. */
async function draw(seed: number) {
  const { generation } = (await server.gql(generate, { seed })).generate;
  expect(generation.status).toBe('SUCCEEDED');
  const asset = await client.asset.findFirstOrThrow({ where: { seed } });
  const file = join(server.app.dataFolder, 'files', asset.storageKey);
  return { asset, file, rendition: generation.images[0].url as string };
}

async function doctor(...argv: string[]) {
  const lines: string[] = [];
  const config = { dataDir: server.app.dataFolder, databaseUrl: undefined, modelsDir };
  const code = await run(argv, config, (line) => lines.push(line));
  return { code, versions: lines[0], findings: lines.slice(1, -1), summary: lines.at(-1) };
}

test('finds nothing in an intact folder, while a server runs', async () => {
  await draw(1);
  const { code, findings, summary, versions } = await doctor();
  expect({ code, findings }).toEqual({ code: 0, findings: [] });
  expect(versions).toMatch(
    /^Easel \d+\.\d+\.\d+, Node \d+\.\d+\.\d+, ONNX Runtime \d+\.\d+\.\d+, PostgreSQL \d+\.\d+ /,
  );
  expect(summary).toMatch(/^\d+ images, 0 findings, 0 repaired$/);
});

test('finds what others can read, and closes it when told to', async () => {
  const { dataFolder } = server.app;
  const file = join(dataFolder, 'easel.json');
  chmodSync(dataFolder, 0o755);
  chmodSync(file, 0o644);
  const findings = [dataFolder, file].map((path) => expect.stringContaining(`mode: ${path}: its`));
  expect(await doctor()).toMatchObject({ code: 1, findings });
  expect(await doctor('--repair')).toMatchObject({ code: 0, findings });
  expect([dataFolder, file].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
});

test('finds a model that cannot be used, and a folder that is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'easel-models-'));
  mkdirSync(join(folder, 'photos'));
  mkdirSync(join(folder, 'broken'));
  writeFileSync(join(folder, 'broken', 'model_index.json'), '{');
  modelsDir = folder;
  const { code, findings } = await doctor();
  modelsDir = undefined;
  rmSync(folder, { recursive: true });
  expect({ code, findings }).toEqual({
    code: 1,
    findings: [
      expect.stringMatching(/^model: broken: Expected /),
      expect.stringContaining(`folder: ${join(folder, 'photos')}: skipped: it has no transformer/`),
    ],
  });
});

test('finds a file that is cut off, and leaves it as it is', async () => {
  const { asset, file } = await draw(2);
  const whole = readFileSync(file);
  truncateSync(file, whole.length - 10);
  const { code, findings } = await doctor('--repair');
  expect(code).toBe(1);
  expect(findings).toEqual([expect.stringMatching(new RegExp(`^cut off: ${asset.storageKey}: `))]);
  expect(findings[0]).toContain(`${whole.length - 10} bytes of ${whole.length}`);
  expect(findings[0]).toContain('seed 2');
  expect(readFileSync(file).length).toBe(whole.length - 10);
  writeFileSync(file, whole);
});

test('finds one flipped bit', async () => {
  const { asset, file } = await draw(3);
  const whole = readFileSync(file);
  const flipped = Buffer.from(whole);
  flipped[flipped.length >> 1]! ^= 1;
  writeFileSync(file, flipped);
  const { code, findings } = await doctor();
  expect(code).toBe(1);
  expect(findings).toEqual([expect.stringMatching(new RegExp(`^altered: ${asset.storageKey}: `))]);
  writeFileSync(file, whole);
});

test('finds a row without its file', async () => {
  const { asset, file } = await draw(4);
  const whole = readFileSync(file);
  rmSync(file);
  const { code, findings } = await doctor();
  expect(code).toBe(1);
  expect(findings).toEqual([expect.stringMatching(new RegExp(`^missing: ${asset.storageKey}: `))]);
  await server.app.database.client.$queryRaw`SELECT 1`;
  writeFileSync(file, whole);
});

test('finds a file that cannot be read, and goes on to the next', async () => {
  const [bad, next] = [await draw(6), await draw(7)];
  const wholes = [bad, next].map(({ file }) => readFileSync(file));
  rmSync(bad.file);
  symlinkSync(bad.file, bad.file); // Also the system's administrator cannot read it.
  truncateSync(next.file, 10);
  const { code, findings } = await doctor('--repair');
  expect(code).toBe(1);
  expect(findings).toEqual([
    expect.stringMatching(new RegExp(`^unreadable: ${bad.asset.storageKey}: asset .* seed 6`)),
    expect.stringMatching(new RegExp(`^cut off: ${next.asset.storageKey}: `)),
  ]);
  rmSync(bad.file);
  for (const [i, { file }] of [bad, next].entries()) writeFileSync(file, wholes[i]!);
});

test('finds a file whose name is not a key, and leaves it', async () => {
  const file = join(server.app.dataFolder, 'files', 'originals', 'a\\b\n.png');
  writeFileSync(file, 'somebody else put it here');
  const { code, findings } = await doctor('--repair');
  expect(code).toBe(1);
  expect(findings).toEqual([
    expect.stringMatching(/^no object: originals\/a\\\\b\\n\.png: Expected a storage key of plain/),
  ]);
  rmSync(file);
});

test('finds files without a row, and deletes them only when told to', async () => {
  const { asset, rendition } = await draw(5);
  expect((await fetch(rendition)).status).toBe(200);
  await client.asset.delete({ where: { id: asset.id } });
  const stray = new RegExp(`^without a row: (${asset.storageKey}|renditions/${asset.id}/.*): `);
  const first = await doctor();
  expect(first.code).toBe(1);
  expect(first.findings).toEqual([expect.stringMatching(stray), expect.stringMatching(stray)]);
  const second = await doctor('--repair');
  expect(second.code).toBe(0);
  expect(second.findings).toEqual([
    expect.stringMatching(/\(deleted\)$/),
    expect.stringMatching(/\(deleted\)$/),
  ]);
  expect(await doctor()).toMatchObject({ code: 0, findings: [] });
});

test('causes no failure of generations or requests that run meanwhile', async () => {
  const drawing = Promise.all(Array.from({ length: 20 }, (_, index) => draw(100 + index)));
  let isDrawing = true;
  const examining = (async () => {
    while (isDrawing) expect(await doctor()).toMatchObject({ code: 0, findings: [] });
  })();
  const drawn = drawing.finally(() => {
    isDrawing = false;
  });
  await Promise.all([drawn, examining]);
});

test('refuses unknown arguments, and a folder without data', async () => {
  await expect(doctor('--mend')).rejects.toThrow(
    'Expected an option of npm run doctor, but got "--mend"',
  );
  const dataDir = mkdtempSync(join(tmpdir(), 'easel-nobody-'));
  await expect(run([], { dataDir, databaseUrl: undefined, modelsDir })).rejects.toThrow(
    `Expected a data folder at ${dataDir}, but there is none`,
  );
  rmSync(dataDir, { recursive: true });
});
