import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { thumbHashToApproximateAspectRatio } from 'thumbhash';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMetadata } from '../../src/images/metadata.ts';
import { sniff } from '../../src/images/sniff.ts';
import { trainedAlgorithmicMedia } from '../../src/images/xmp.ts';
import { writeRandomModel } from '../support/random-model.ts';
import { all, type LogLine, startTestServer, type TestServer } from '../support/server.ts';

const modelsDir = mkdtempSync(join(tmpdir(), 'easel-models-'));
let server: TestServer;
beforeAll(async () => {
  writeRandomModel(join(modelsDir, 'random'));
  truncateSync(weightsOf(writeRandomModel(join(modelsDir, 'damaged'))), 5_000);
  server = await startTestServer({ config: { modelsDir } });
});
afterAll(async () => {
  await server.close();
  rmSync(modelsDir, { recursive: true });
});

function weightsOf(folder: string): string {
  return join(folder, 'transformer', 'diffusion_pytorch_model.safetensors');
}

const generate = `mutation ($input: GenerateInput!) {
  generate(input: $input) { replayed generation {
    id status progress seed: settings { seed width height steps prompt model { name } } eventCursor
    images { id index seed url sha256 bytes placeholder } failure { code message }
    provenance { modelSha256 executionProvider } timings { stage milliseconds }
  } }
}`;
const settings = { prompt: 'a red boat on the sea at sunset', steps: 3, seed: '7' };
const events = `subscription ($id: ID!, $after: Cursor) {
  generationEvents(id: $id, after: $after) {
    __typename cursor at
    ... on GenerationEvent { generation { id status eventCursor } }
    ... on GenerationProgress { stage step steps previews { index step width height dataUrl } }
    ... on GenerationImageReady { image { url index } }
  }
}`;

describe('a generation', () => {
  it('is queued, followed over a subscription, and its image downloaded', async () => {
    const { generate: queued } = await server.gql(generate, { input: { settings } });
    expect(queued.generation.status).toBe('QUEUED');
    const { id, eventCursor } = queued.generation;

    const seen = await all(server.subscribe(events, { id, after: eventCursor }));
    const states = seen.map(({ __typename }) => __typename).filter((t) => !t.endsWith('Progress'));
    expect(states).toEqual([
      'GenerationQueued',
      'GenerationStarted',
      'GenerationImageReady',
      'GenerationSucceeded',
    ]);
    expect(seen.at(-1).generation).toMatchObject({ id, status: 'SUCCEEDED' });

    const image = seen.find(({ __typename }) => __typename === 'GenerationImageReady').image;
    const response = await fetch(image.url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/png');
    const png = Buffer.from(await response.arrayBuffer());
    expect(sniff(png)).toEqual({ format: 'PNG', width: 64, height: 64 });
  });

  it('is described in the metadata of its image: prompt, settings, checksums, and that it is generated', async () => {
    const input = { settings: { ...settings, seed: '8', sampler: 'DPMPP_2M' }, waitSeconds: 60 };
    const { generation } = (await server.gql(generate, { input })).generate;
    const [image] = generation.images;
    const png = Buffer.from(await (await fetch(image.url)).arrayBuffer());
    expect(createHash('sha256').update(png).digest('hex')).toBe(image.sha256);
    expect(png.length).toBe(image.bytes);
    const { easel, parameters, xmp } = readMetadata(png);
    expect(easel?.settings).toMatchObject({
      prompt: settings.prompt,
      model: 'random',
      width: 64,
      height: 64,
      steps: 3,
      sampler: 'DPMPP_2M',
      seed: 8,
    });
    expect(easel?.provenance).toMatchObject(generation.provenance);
    const weights = createHash('sha256').update(readFileSync(weightsOf(join(modelsDir, 'random'))));
    expect(easel?.provenance.modelSha256).toBe(weights.digest('hex'));
    expect(parameters).toMatch(
      /^a red boat on the sea at sunset\nSteps: 3, .*Seed: 8, Size: 64x64/,
    );
    expect(xmp).toContain(`DigitalSourceType="${trainedAlgorithmicMedia}"`);
    const hash = Buffer.from(image.placeholder, 'base64');
    expect(hash.length).toBeLessThan(40);
    expect(thumbHashToApproximateAspectRatio(hash)).toBe(1);
  });

  it('is returned finished with waitSeconds', async () => {
    const input = { settings: { ...settings, count: 2 }, waitSeconds: 60 };
    const { generation } = (await server.gql(generate, { input })).generate;
    expect(generation.status).toBe('SUCCEEDED');
    expect(generation.progress).toBe(1);
    expect(generation.images.map(({ seed }: { seed: string }) => seed)).toEqual(['7', '8']);
    expect(generation.provenance.modelSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(generation.timings.map(({ stage }: { stage: string }) => stage)).toContain('DENOISING');
  });

  it('gives the same pixels for the same seed', async () => {
    const input = { settings: { ...settings, seed: '99' }, waitSeconds: 60 };
    const [one, two] = [
      await server.gql(generate, { input }),
      await server.gql(generate, { input }),
    ];
    const [a, b] = await Promise.all(
      [one, two].map(async (answer) => {
        const response = await fetch(`${answer.generate.generation.images[0].url}`);
        return Buffer.from(await response.arrayBuffer());
      }),
    );
    expect(one.generate.generation.id).not.toBe(two.generate.generation.id);
    expect(a!.equals(b!)).toBe(true);
  });

  it('is returned again for the same idempotency key, and another input with that key is refused', async () => {
    const input = { settings, idempotencyKey: 'one intent' };
    const first = await server.gql(generate, { input });
    const again = await server.gql(generate, { input });
    expect(again.generate.replayed).toBe(true);
    expect(again.generate.generation.id).toBe(first.generate.generation.id);
    const other = { ...input, settings: { ...settings, prompt: 'a blue boat' } };
    const { errors, data } = await server.post(generate, { input: other });
    expect(errors[0]?.extensions.code).toBe('IDEMPOTENCY_CONFLICT');
    expect(data.generate).toBeNull();
  });

  it('sends a subscriber that reconnects the events after its cursor', async () => {
    const { generation } = (await server.gql(generate, { input: { settings, waitSeconds: 60 } }))
      .generate;
    const whole = await all(
      server.subscribe(events, { id: generation.id, after: generation.eventCursor }),
    );
    const rest = await all(server.subscribe(events, { id: generation.id, after: whole[1].cursor }));
    const since = (list: typeof whole) =>
      list.map(({ __typename, cursor }) => [__typename, cursor]);
    expect(since(rest)).toEqual(since(whole.slice(2)));
  });

  it('sends a late subscriber the final event, and ends the subscription', async () => {
    const { generation } = (await server.gql(generate, { input: { settings, waitSeconds: 60 } }))
      .generate;
    const seen = await all(server.subscribe(events, { id: generation.id }));
    expect(seen.map(({ __typename }) => __typename)).toEqual(['GenerationSucceeded']);
  });

  it('is not found by an unknown id', async () => {
    const id = Buffer.from(`Generation:${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}`).toString(
      'base64url',
    );
    expect(
      (await server.gql('query ($id: ID!) { generation(id: $id) { id } }', { id })).generation,
    ).toBeNull();
    await expect(all(server.subscribe(events, { id }))).rejects.toMatchObject({
      errors: [{ extensions: { code: 'NOT_FOUND' } }],
    });
  });
});

describe('the models', () => {
  it('do not include folders that are no models, which are logged', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-models-'));
    writeRandomModel(join(models, 'random'));
    mkdirSync(join(models, 'notes'));
    const lines: LogLine[] = [];
    const other = await startTestServer({
      config: { modelsDir: models },
      onLog: (line) => lines.push(line),
    });
    await other.gql('{ models { name } }');
    await other.close();
    const skipped = lines.filter(({ msg }) => msg === 'a folder among the models was skipped');
    expect(skipped).toMatchObject([
      { folder: join(models, 'notes'), reason: expect.stringMatching(/model_index\.json/) },
    ]);
    rmSync(models, { recursive: true });
  });

  it('are listed and used as their folders are now', async () => {
    const list = async () => {
      const { models } = await server.gql('{ models { name available } }');
      return models.map(
        (model: { name: string; available: boolean }) => `${model.name} ${model.available}`,
      );
    };
    const added = writeRandomModel(join(modelsDir, 'owner', 'added'));
    renameSync(weightsOf(added), `${weightsOf(added)}.part`); // Still being copied.
    expect(await list()).toContain('owner/added false');
    renameSync(`${weightsOf(added)}.part`, weightsOf(added));
    const input = { settings: { ...settings, model: 'owner/added' }, waitSeconds: 60 };
    const { generation } = (await server.gql(generate, { input })).generate;
    expect(generation.status).toBe('SUCCEEDED');
    expect(await list()).toContain('owner/added true');
    rmSync(added, { recursive: true });
    expect(await list()).not.toContain('owner/added true');
  });

  it('are listed with their limits and defaults', async () => {
    const { models } = await server.gql(
      '{ models { id name isDefault available unavailableReason kinds samplers vocabulary limits { maxSteps maxCount } defaults { width } sizes { width height } } }',
    );
    const model = models.find(({ name }: { name: string }) => name === 'random');
    expect(model).toMatchObject({
      isDefault: true,
      available: true,
      kinds: ['TEXT_TO_IMAGE', 'IMAGE_TO_IMAGE', 'INPAINT'],
      limits: { maxSteps: 100, maxCount: 8 },
      defaults: { width: 64 },
    });
    const damaged = models.find(({ name }: { name: string }) => name === 'damaged');
    expect(damaged).toMatchObject({ available: false, kinds: [], limits: null, defaults: null });
    expect(damaged.unavailableReason).toMatch(/^Expected .*diffusion_pytorch_model\.safetensors.*/);
    const { errors } = await server.post(generate, {
      input: { settings: { ...settings, model: 'damaged' } },
    });
    expect(errors[0]?.extensions.code).toBe('MODEL_UNAVAILABLE');
    expect(errors[0]?.message).toContain(damaged.unavailableReason);
    const { node } = await server.gql(
      'query ($id: ID!) { node(id: $id) { ... on Model { name } } }',
      {
        id: model.id,
      },
    );
    expect(node.name).toBe('random');
  });
});
