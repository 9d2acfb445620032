import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ config: { defaultModel: 'easel-mini' } });
});
afterAll(() => server.close());

const generate = `mutation ($input: GenerateInput!) { generate(input: $input) {
  generation { status settings { model { name } steps width height } images { url width height } }
} }`;

/** An image, with its size and what its channels are like, 0 to 255. */
async function draw(settings: object) {
  const input = { settings: { steps: 4, seed: 1, ...settings }, waitSeconds: 60 };
  const { generation } = (await server.gql(generate, { input })).generate;
  expect(generation).toMatchObject({ status: 'SUCCEEDED', settings: { steps: 4 } });
  const [{ url, width, height }] = generation.images;
  const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
  const { channels } = await sharp(bytes).stats();
  return { width, height, channels };
}

describe('the embedded model', () => {
  it('is listed with its vocabulary, sizes and defaults', async () => {
    const { models } = await server.gql(`{ models {
      name available parameters vocabulary maxPromptTokens sizes { width height }
    } }`);
    const mini = models.find(({ name }: { name: string }) => name === 'easel-mini');
    expect(mini).toMatchObject({ available: true, maxPromptTokens: 64 });
    expect(mini.vocabulary).toEqual(expect.arrayContaining(['boat', 'lighthouse', 'red', 'two']));
    expect(mini.sizes).toContainEqual({ width: 256, height: 256 });
    expect(mini.parameters).toBeLessThan(20_000_000);
  });

  it('draws night darker than day', async () => {
    const night = await draw({ prompt: 'a red boat on the sea at night' });
    const day = await draw({ prompt: 'a red boat on the sea at noon' });
    expect(day).toMatchObject({ width: 256, height: 256 });
    const brightness = ({ channels }: typeof day) =>
      channels.slice(0, 3).reduce((sum, { mean }) => sum + mean, 0) / 3;
    expect(brightness(day)).toBeGreaterThan(brightness(night) + 40);
  });

  it('gives an image for words that it does not know, and in another shape', async () => {
    const { width, height, channels } = await draw({
      prompt: 'ein Zeppelin über Königsberg, zxqv 7 🎈',
      width: 288,
      height: 224,
    });
    expect({ width, height }).toEqual({ width: 288, height: 224 });
    // Not one colour, and not noise around grey: something is there.
    expect(Math.max(...channels.slice(0, 3).map(({ stdev }) => stdev))).toBeGreaterThan(10);
  });

  it('is small enough to come with the program', () => {
    const files = readdirSync('models/easel-mini', { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
    expect(Math.max(...files)).toBeLessThan(16e6);
    expect(files.reduce((sum, size) => sum + size, 0)).toBeLessThan(40e6);
  });
});
