import OpenAI, { toFile } from 'openai';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, makeUser } from '../support/access.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

/** With OpenAI's own client, which is pointed here by its address alone. */
let server: TestServer;
let client: OpenAI;
const engine = createStepwise();
const clientFor = (apiKey: string) =>
  new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0 });

beforeAll(async () => {
  server = await startTestServer({
    async *generate(request, options) {
      if (request.prompt.includes('fails')) throw new Error('on purpose');
      if (!request.prompt.includes('waits')) engine.release();
      yield* engine.generate(request, options);
    },
    config: { isAccessRequired: true, rateLimit: 0 },
  });
  const { client: database } = server.app.database;
  client = clientFor((await makeKey(database, await makeUser(database))).secret);
}, 60_000);
afterAll(() => server.close());

const png = () =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
const formatOf = async (base64: string | undefined) =>
  (await sharp(Buffer.from(base64 ?? '', 'base64')).metadata()).format;

describe("OpenAI's client", () => {
  it('lists the models', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('random');
  });

  it('gets links, or the images themselves', async () => {
    const linked = await client.images.generate({ prompt: 'a boat', n: 2, size: '256x256' });
    expect(linked.data).toHaveLength(2);
    const file = await fetch(linked.data![0]!.url!);
    expect([file.status, file.headers.get('content-type')]).toEqual([200, 'image/png']);
    const { data } = await client.images.generate({
      ...{ model: 'dall-e-3', prompt: 'a boat', response_format: 'b64_json' },
    });
    expect(await formatOf(data?.[0]?.b64_json)).toBe('png');
  });

  it('gets a stream that ends with the image', async () => {
    const stream = await client.images.generate({
      prompt: 'a boat',
      stream: true,
      partial_images: 1,
    });
    const types: string[] = [];
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === 'image_generation.completed') {
        expect(await formatOf(event.b64_json)).toBe('png');
      }
    }
    expect(types.at(-1)).toBe('image_generation.completed');
    expect(types.length).toBeLessThanOrEqual(2);
  });

  it('makes an image from an image', async () => {
    const image = await toFile(await png(), 'image.png', { type: 'image/png' });
    const { data } = await client.images.edit({ image, prompt: 'a boat' });
    expect((await fetch(data![0]!.url!)).status).toBe(200);
    const mask = await toFile(await png(), 'mask.png', { type: 'image/png' });
    await expect(client.images.edit({ image, mask, prompt: 'x' })).rejects.toMatchObject({
      ...{ status: 400, code: 'BAD_USER_INPUT', param: 'mask' },
    });
  });

  it.each([
    [{ prompt: 'x', n: 100 }, 'n'],
    [{ prompt: 'x', size: 'large' as '256x256' }, 'size'],
    [{ prompt: 'x'.repeat(8_001) }, 'prompt'],
    [{ prompt: 'x', model: 'nothing' }, 'model'],
  ])('is told what is wrong: %j', async (body, param) => {
    await expect(client.images.generate(body)).rejects.toMatchObject({ status: 400, param });
  });

  it('is told that it failed', async () => {
    await expect(client.images.generate({ prompt: 'fails' })).rejects.toMatchObject({
      code: 'INTERNAL_SERVER_ERROR',
    });
  });

  it('needs a key, and its scopes', async () => {
    await expect(clientFor('easel_nothing').models.list()).rejects.toMatchObject({ status: 401 });
    const { client: database } = server.app.database;
    const { secret } = await makeKey(database, await makeUser(database), { scopes: ['READ'] });
    await expect(clientFor(secret).images.generate({ prompt: 'x' })).rejects.toMatchObject({
      ...{ status: 403, code: 'FORBIDDEN' },
    });
  });

  it('cancels what it does not wait for', async () => {
    const database = server.app.database.client;
    const aborting = new AbortController();
    // Released by the tests above: it would end at once, so it waits in a paused queue.
    await database.installation.update({ where: { id: 1 }, data: { pausedAt: new Date() } });
    const asked = client.images.generate({ prompt: 'waits' }, { signal: aborting.signal });
    const find = () => database.generation.findFirst({ where: { prompt: 'waits' } });
    await expect.poll(async () => (await find())?.status).toBe('QUEUED');
    aborting.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(async () => (await find())?.status).toBe('CANCELED');
    await database.installation.update({ where: { id: 1 }, data: { pausedAt: null } });
  });
});
