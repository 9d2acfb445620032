import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addTexts } from '../../src/images/png.ts';
import { makeKey, makeUser } from '../support/access.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
let bearer: { authorization: string };
beforeAll(async () => {
  const engine = createStepwise();
  engine.release();
  const config = { isAccessRequired: true, maxUploadBytes: 300_000, maxUploadPixels: 250_000 };
  server = await startTestServer({ generate: engine.generate, config });
  const { client } = server.app.database;
  ({ bearer } = await makeKey(client, await makeUser(client)));
}, 60_000);
afterAll(() => server.close());

const png = (width = 40, height = 20) =>
  sharp({ create: { width, height, channels: 3, background: '#c03020' } })
    .png()
    .toBuffer();

const query = `mutation ($file: Upload!, $title: String, $tags: [String!]) {
  uploadAsset(input: { file: $file, title: $title, tags: $tags }) {
    asset { id origin format width height title tags url embedded { software prompt seed steps guidanceScale sampler width raw } }
  }
}`;

type Parts = { operations?: string; map?: string; file?: Buffer | null; headers?: object };

/** As the specification says it, unless the test says otherwise. */
async function upload({ operations, map, file, headers = bearer }: Parts, variables = {}) {
  const form = new FormData();
  const body = { query, variables: { file: null, ...variables } };
  form.set('operations', operations ?? JSON.stringify(body));
  form.set('map', map ?? JSON.stringify({ 0: ['variables.file'] }));
  if (file) form.set('0', new Blob([new Uint8Array(file)]), '../../etc/passwd.svg');
  const response = await fetch(`${server.url}/graphql`, {
    ...{ method: 'POST', body: form, headers: { ...headers } },
  });
  const text = await response.text();
  const { data = null, errors = [] } = JSON.parse(text);
  return {
    status: response.status,
    asset: data?.uploadAsset?.asset,
    code: errors[0]?.extensions.code,
  };
}

const files = () =>
  readdirSync(join(server.app.dataFolder, 'files'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

describe('an upload', () => {
  it('is stored with title and tags, and its file is what was sent', async () => {
    const { asset } = await upload({ file: await png() }, { title: 'Red', tags: ['a', 'b'] });
    expect(asset).toMatchObject({
      ...{
        origin: 'UPLOADED',
        format: 'PNG',
        width: 40,
        height: 20,
        title: 'Red',
        tags: ['a', 'b'],
      },
      embedded: null,
    });
    const bytes = Buffer.from(await (await fetch(asset.url)).arrayBuffer());
    const { data } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    expect([...data.subarray(0, 3)]).toEqual([0xc0, 0x30, 0x20]);
  });

  it.each(['jpeg', 'webp', 'avif'] as const)('may be %s', async (format) => {
    const file = await sharp(await png())
      .toFormat(format)
      .toBuffer();
    expect((await upload({ file })).asset).toMatchObject({
      format: format.toUpperCase(),
      width: 40,
    });
  });

  it('is turned as the camera has noted, and says nothing of place and camera any more', async () => {
    const file = await sharp(await png())
      .withExif({ IFD0: { Make: 'Camera' }, IFD3: { GPSLatitude: '51/1 30/1 0/1' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { asset } = await upload({ file });
    expect(asset).toMatchObject({ width: 20, height: 40 });
    const stored = Buffer.from(await (await fetch(asset.url)).arrayBuffer());
    const { exif, orientation } = await sharp(stored).metadata();
    expect([exif, orientation]).toEqual([undefined, undefined]);
  });

  it('keeps the settings that image generators write', async () => {
    // As AUTOMATIC1111's web UI documents the form of its `parameters`.
    const parameters =
      'a cat, oil\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 42, Size: 512x768, Model: v1-5, Version: v1.9.4';
    const a1111 = addTexts(await png(), [{ keyword: 'parameters', text: parameters }]);
    expect((await upload({ file: a1111 })).asset.embedded).toMatchObject({
      ...{ software: 'v1.9.4', prompt: 'a cat, oil', seed: '42', steps: 20, guidanceScale: 7.5 },
      ...{ sampler: 'Euler a', width: 512, raw: parameters },
    });
    const graph = {
      3: {
        class_type: 'KSampler',
        inputs: { seed: 9, steps: 8, cfg: 2, sampler_name: 'euler', positive: ['6', 0] },
      },
      6: { class_type: 'CLIPTextEncode', inputs: { text: 'a tree' } },
    };
    const comfy = addTexts(await png(), [{ keyword: 'prompt', text: JSON.stringify(graph) }]);
    expect((await upload({ file: comfy })).asset.embedded).toMatchObject({
      ...{ software: 'ComfyUI', prompt: 'a tree', seed: '9', steps: 8, sampler: 'euler' },
    });
    const invoke = addTexts(await png(), [
      { keyword: 'invokeai_metadata', text: '{"positive_prompt":"a dog","seed":-1,"steps":30}' },
    ]);
    expect((await upload({ file: invoke })).asset.embedded).toMatchObject({
      ...{ software: 'InvokeAI', prompt: 'a dog', seed: null, steps: 30 },
    });
    const odd = addTexts(await png(), [{ keyword: 'invokeai_metadata', text: '[{' }]);
    expect((await upload({ file: odd })).asset.embedded).toBeNull();
  });
});

describe('a bad upload', () => {
  const bad: Record<string, () => Promise<Parts> | Parts> = {
    'an SVG': () => ({ file: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>') }),
    'a GIF': async () => ({
      file: await sharp(await png())
        .gif()
        .toBuffer(),
    }),
    'an empty file': () => ({ file: Buffer.alloc(0) }),
    'a file that is cut off': async () => ({ file: (await png(400, 400)).subarray(0, 400) }),
    'more bytes than may be': () => ({ file: Buffer.alloc(300_001) }),
    'more pixels than may be': async () => ({ file: await png(501, 500) }),
    'no file': () => ({ file: null }),
    'a map before there are operations': async () => ({ operations: '', file: await png() }),
    'operations that are no JSON': async () => ({ operations: '{', file: await png() }),
    'a map to nowhere': async () => ({ map: '{"0":["variables.x.y.z"]}', file: await png() }),
    'a map that is a list': async () => ({ map: '[1]', file: await png() }),
    'more files than may be': async () => ({
      map: JSON.stringify(Object.fromEntries([0, 1, 2, 3, 4].map((i) => [i, ['variables.file']]))),
      file: await png(),
    }),
  };

  it.each(Object.keys(bad))('is refused with a code, and leaves nothing: %s', async (name) => {
    const before = files();
    const { status, asset, code } = await upload(await bad[name]!());
    expect([asset ?? null, status < 500]).toEqual([null, true]);
    expect(['UPLOAD_REJECTED', 'BAD_REQUEST', 'BAD_USER_INPUT']).toContain(code);
    expect(files()).toEqual(before);
  });

  it('keeps nothing of what stands behind the image in its file', async () => {
    const file = Buffer.concat([await png(), Buffer.from('PK\u0003\u0004 a second file')]);
    const { asset } = await upload({ file });
    const stored = Buffer.from(await (await fetch(asset.url)).arrayBuffer());
    expect(stored.includes('a second file')).toBe(false);
  });

  it('is refused before it is read, without a credential', async () => {
    const { status, code } = await upload({ file: await png(), headers: {} });
    expect([status, code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('goes into no project of another user', async () => {
    const { client } = server.app.database;
    const other = await makeUser(client);
    const { id } = await client.project.findFirstOrThrow({ where: { ownerId: other.id } });
    const theirs = Buffer.from(`Project:${id}`).toString('base64url');
    const none = Buffer.from('Project:00000000-0000-7000-8000-000000000000').toString('base64url');
    const before = files();
    for (const projectId of [theirs, none]) {
      const operations = JSON.stringify({
        query: `mutation ($file: Upload!) { uploadAsset(input: { projectId: "${projectId}", file: $file }) { asset { id } } }`,
        variables: { file: null },
      });
      expect((await upload({ file: await png(), operations })).code).toBe('NOT_FOUND');
    }
    expect(files()).toEqual(before);
  });

  it('that never ends is not waited for by others', async () => {
    const { hostname, port } = new URL(server.url);
    const slow = request({
      ...{ hostname, port, path: '/graphql', method: 'POST' },
      headers: { ...bearer, 'content-type': 'multipart/form-data; boundary=x' },
    });
    slow.on('error', () => {});
    slow.write('--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{');
    expect((await upload({ file: await png() })).asset.format).toBe('PNG');
    slow.destroy();
  });
});
