import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import type { AskedSettings } from '../../src/inference/request.ts';
import { type GenerateInput, priorities } from '../../src/services/generations/request.ts';
import { toGlobalId } from '../../src/services/relay/global-id.ts';
import { never, openFixture, type ServiceFixture } from './support/service-fixture.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture({
    quotas: { maxQueued: 5, maxStoredBytes: null, maxImagesPerDay: null },
  });
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const refusal = async (input: GenerateInput) => {
  const viewer = await fixture.newViewer();
  const answer = fixture.generations.request(viewer, input, never);
  return answer.then(
    () => null,
    (error: unknown) => error,
  );
};

test('fills in every default, and fixes the seed', async () => {
  const viewer = await fixture.newViewer();
  const input = { settings: { prompt: 'a boat' } };
  const { generation, replayed } = await fixture.generations.request(viewer, input, never);
  expect(replayed).toBe(false);
  expect(generation).toMatchObject({
    ownerId: viewer.id,
    projectId: viewer.defaultProjectId,
    kind: 'TEXT_TO_IMAGE',
    status: 'QUEUED',
    prompt: 'a boat',
    model: 'tiny',
    width: 64,
    height: 64,
    steps: 4,
    sampler: 'DPMPP_2M',
    count: 1,
    priority: 1,
    settings: {
      prompt: 'a boat',
      negativePrompt: '',
      cleanCaption: true,
      promptWeighting: false,
      model: 'tiny',
      width: 64,
      height: 64,
      exactSize: false,
      steps: 4,
      guidanceScale: 4.5,
      guidanceStart: 0,
      guidanceEnd: 1,
      perturbedAttentionScale: 0,
      sampler: 'DPMPP_2M',
      seed: Number(generation.seed),
      count: 1,
    },
  });
  const other = await fixture.generations.request(viewer, input, never);
  expect(other.generation.seed).not.toBe(generation.seed);
});

test('snaps the size to the nearest bin, unless it is to be exact', async () => {
  const viewer = await fixture.newViewer();
  const wide = { prompt: '', width: 200, height: 100 };
  expect(await fixture.ask(viewer, { settings: wide })).toMatchObject({ width: 96, height: 48 });
  const exact = { prompt: '', width: 160, height: 112, exactSize: true };
  expect(await fixture.ask(viewer, { settings: exact })).toMatchObject({ width: 160, height: 112 });
  expect(await refusal({ settings: { ...exact, width: 200 } })).toMatchObject({
    code: 'BAD_USER_INPUT',
    details: { path: ['settings', 'width'], got: 200 },
  });
});

test('an exact size is bounded by the largest size of the model', async () => {
  const viewer = await fixture.newViewer();
  const settings = { prompt: '', width: 288, height: 64, exactSize: true };
  // Four times 96 x 48, its largest size.
  expect(await fixture.ask(viewer, { settings })).toMatchObject({ width: 288, height: 64 });
  const error = await refusal({ settings: { ...settings, width: 304 } });
  expect(error).toMatchObject({
    code: 'BAD_USER_INPUT',
    details: { path: ['settings', 'width'], max: 18_432, got: 19_456 },
  });
  expect(String(error)).toMatch(
    /of at most 18432 with exactSize for the model "tiny" \(4 times its largest size\) in settings.width, but got 304 x 64$/,
  );
});

test.each<[Partial<AskedSettings>, object]>([
  [{ count: 9 }, { path: ['settings', 'count'], min: 1, max: 8, got: 9 }],
  [{ count: 0 }, { path: ['settings', 'count'], min: 1, max: 8, got: 0 }],
  [{ steps: 101 }, { path: ['settings', 'steps'], min: 1, max: 100, got: 101 }],
  [
    { steps: 2, sampler: 'DMD' },
    { path: ['settings', 'steps'], min: 1, max: 1, got: 2 },
  ],
  [{ guidanceScale: -1 }, { path: ['settings', 'guidanceScale'], min: 0, max: 30, got: -1 }],
  [{ guidanceScale: Number.NaN }, { path: ['settings', 'guidanceScale'] }],
  [{ guidanceEnd: 1.5 }, { path: ['settings', 'guidanceEnd'], min: 0, max: 1, got: 1.5 }],
  [
    { guidanceStart: 0.6, guidanceEnd: 0.5 },
    { path: ['settings', 'guidanceEnd'], min: 0.6 },
  ],
  [{ width: 63 }, { path: ['settings', 'width'], min: 64, max: 4096, got: 63 }],
  [{ seed: -1 }, { path: ['settings', 'seed'], min: 0, got: -1 }],
  [{ seed: Number.MAX_SAFE_INTEGER, count: 2 }, { path: ['settings', 'seed'] }],
  [{ seed: 0.5 }, { path: ['settings', 'seed'], got: 0.5 }],
  [{ prompt: 'x'.repeat(8001) }, { path: ['settings', 'prompt'], max: 8000, got: 8001 }],
  [{ prompt: 'a\0b' }, { path: ['settings', 'prompt'] }],
  [{ negativePrompt: '\ud800' }, { path: ['settings', 'negativePrompt'] }],
  [{ model: 'none' }, { path: ['settings', 'model'] }],
  [{ sampler: 'LCM' }, { path: ['settings', 'sampler'] }],
])('refuses %o with the field, its limits and what came', async (settings, details) => {
  const error = await refusal({ settings: { prompt: 'a boat', ...settings } });
  expect(error).toMatchObject({ code: 'BAD_USER_INPUT', details });
  expect(String(error)).toMatch(/Expected .+, but got /);
});

test('names every problem of an input at once', async () => {
  const other = await fixture.newViewer();
  const error = await refusal({
    settings: {
      prompt: 'a\0b',
      steps: 0,
      guidanceScale: 31,
      sampler: 'LCM',
      width: 100,
      exactSize: true,
      seed: -1,
      count: 9,
    },
    projectId: toGlobalId('Project', other.defaultProjectId),
    clientReference: 'x'.repeat(201),
    waitSeconds: 61,
  });
  expect(error).toMatchObject({
    code: 'BAD_USER_INPUT',
    details: { path: ['settings', 'prompt'] },
  });
  const { problems = [] } = (error as DomainError).details;
  expect(problems.map(({ path, code }) => `${path.join('.')} ${code}`)).toEqual([
    'settings.prompt BAD_USER_INPUT',
    'settings.width BAD_USER_INPUT',
    'settings.steps BAD_USER_INPUT',
    'settings.guidanceScale BAD_USER_INPUT',
    'settings.sampler BAD_USER_INPUT',
    'settings.seed BAD_USER_INPUT',
    'settings.count BAD_USER_INPUT',
    'clientReference BAD_USER_INPUT',
    'waitSeconds BAD_USER_INPUT',
    'projectId NOT_FOUND',
  ]);
});

test('a seed that is refused says its bounds, and what leaving it out means', async () => {
  for (const seed of [-1, 2 ** 53, 0.5]) {
    const error = await refusal({ settings: { prompt: '', seed } });
    expect(error).toMatchObject({
      details: { path: ['settings', 'seed'], min: 0, max: 2 ** 53 - 1, got: seed },
    });
    expect(String(error)).toContain('(left out: a random one)');
  }
});

test('refuses bad values beside the settings', async () => {
  const settings = { prompt: 'a boat' };
  const fields = [
    { clientReference: 'x'.repeat(201) },
    { idempotencyKey: '' },
    { idempotencyKey: ' \t ' },
    { idempotencyKey: '\u200b' },
    { waitSeconds: 61 },
    { waitSeconds: -1 },
  ];
  for (const field of fields) {
    const path = Object.keys(field);
    expect(await refusal({ settings, ...field })).toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { path },
    });
  }
});

test('a damaged model is unavailable, and says why', async () => {
  expect(await refusal({ settings: { prompt: '', model: 'broken' } })).toMatchObject({
    code: 'MODEL_UNAVAILABLE',
    message: expect.stringContaining('transformer.safetensors is cut off'),
  });
});

test('does not queue into the project of another', async () => {
  const other = await fixture.newViewer();
  const ids = [
    toGlobalId('Project', other.defaultProjectId),
    'nonsense',
    toGlobalId('Model', 'x'),
    '',
  ];
  for (const projectId of ids) {
    expect(await refusal({ settings: { prompt: '' }, projectId })).toMatchObject({
      code: 'NOT_FOUND',
      details: { path: ['projectId'] },
    });
  }
});

test('requests with the same key at once make one generation', async () => {
  const viewer = await fixture.newViewer();
  const input = { settings: { prompt: 'a boat' }, idempotencyKey: 'once' };
  const same = {
    idempotencyKey: 'once',
    settings: { count: null, prompt: 'a boat' },
    waitSeconds: 0,
  };
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      fixture.generations.request(viewer, i % 2 ? input : same, never),
    ),
  );
  expect(new Set(answers.map(({ generation }) => generation.id)).size).toBe(1);
  expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
  const other = { ...input, settings: { prompt: 'a ship' } };
  await expect(fixture.generations.request(viewer, other, never)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_CONFLICT',
  });
  const stranger = await fixture.newViewer();
  expect((await fixture.generations.request(stranger, other, never)).replayed).toBe(false);
});

test('the queue of a user is full at its limit, exactly, and a refusal leaves nothing behind', async () => {
  const viewer = await fixture.newViewer();
  const answers = await Promise.allSettled(Array.from({ length: 9 }, () => fixture.ask(viewer)));
  const refused = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [answer.reason] : [],
  );
  expect(refused).toHaveLength(4);
  for (const reason of refused) expect(reason).toMatchObject({ code: 'QUEUE_FULL' });
  expect(await fixture.client.event.count({ where: { ownerId: viewer.id } })).toBe(5);
  expect(await fixture.ask(await fixture.newViewer())).toMatchObject({ status: 'QUEUED' });
});

test('whatever comes is queued, or refused with a code and a sentence', async () => {
  const number = fc.option(fc.oneof(fc.double(), fc.integer(), fc.constant(64)));
  const text = fc.option(fc.string({ unit: 'binary', maxLength: 300 }));
  const settings = fc.record({
    prompt: fc.string({ unit: 'binary' }),
    negativePrompt: text,
    model: fc.option(fc.oneof(fc.constant('tiny'), fc.string({ unit: 'binary' }))),
    width: number,
    height: number,
    exactSize: fc.option(fc.boolean()),
    steps: number,
    guidanceScale: number,
    guidanceStart: number,
    guidanceEnd: number,
    sampler: fc.option(fc.constantFrom('DPMPP_2M' as const, 'LCM' as const, 'DMD' as const)),
    seed: number,
    count: number,
  });
  const input = fc.record({
    settings,
    projectId: text,
    idempotencyKey: text,
    clientReference: text,
    priority: fc.option(fc.constantFrom(...priorities)),
  });
  const viewer = await fixture.newViewer();
  await fc.assert(
    fc.asyncProperty(input, async (asked) => {
      try {
        const { generation } = await fixture.generations.request(viewer, asked, never);
        await fixture.client.generation.delete({ where: { id: generation.id } });
      } catch (error) {
        expect(error).toBeInstanceOf(DomainError);
        expect(String(error)).toMatch(/Expected .+/);
      }
    }),
    { numRuns: 150 },
  );
});
