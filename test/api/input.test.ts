import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ generate: createStepwise().generate });
});
afterAll(() => server.close());

const generate =
  'mutation ($input: GenerateInput!) { generate(input: $input) { generation { id } } }';
const prompt = 'a boat';

describe('an input that is refused', () => {
  it('names every problem of an input at once, for forms', async () => {
    const settings = { prompt, steps: 0, count: 9, seed: '-1' };
    const { errors } = await server.post(generate, { input: { settings, projectId: '' } });
    expect(errors).toHaveLength(1);
    const { code, path, problems } = errors[0]!.extensions as Record<string, unknown>;
    expect([code, path]).toEqual(['BAD_USER_INPUT', ['settings', 'steps']]);
    expect(problems).toMatchObject([
      { path: ['settings', 'steps'], code: 'BAD_USER_INPUT', min: 1, max: 100, got: 0 },
      { path: ['settings', 'seed'], code: 'BAD_USER_INPUT', min: 0, max: 2 ** 53 - 1, got: -1 },
      { path: ['settings', 'count'], code: 'BAD_USER_INPUT', min: 1, max: 8, got: 9 },
      { path: ['projectId'], code: 'NOT_FOUND' },
    ]);
  });

  it.each(['"abc"', 'true', '1.5', 'ANY', '9007199254740992'])(
    'names the path of a seed that is none (%s), and every other problem, written in the query too',
    async (seed) => {
      const query = `mutation { generate(input: { settings: { prompt: "a boat", steps: 0, seed: ${seed} } }) { generation { id } } }`;
      const { errors } = await server.post(query);
      expect(errors[0]?.extensions['problems']).toMatchObject([
        { path: ['settings', 'steps'] },
        { path: ['settings', 'seed'], min: 0, max: 2 ** 53 - 1 },
      ]);
      const { errors: filtered } = await server.post(
        `{ assets(filter: { seed: ${seed} }) { nodes { id } } }`,
      );
      expect(filtered[0]?.extensions).toMatchObject({ path: ['filter', 'seed'] });
    },
  );

  it.each(['\ufffc', '\u{1d159}', '\uffff', '\u0378', '\u2800\u200b'])(
    'refuses a name of nothing visible: %o',
    async (name) => {
      const create =
        'mutation ($input: CreateProjectInput!) { createProject(input: $input) { project { id } } }';
      const { errors } = await server.post(create, { input: { name } });
      expect(errors[0]?.extensions).toMatchObject({ path: ['name'] });
      expect((await server.post(create, { input: { name: `a${name}` } })).errors).toEqual([]);
    },
  );

  it('refuses a reference that turns the direction of text, and preview options that nobody selects', async () => {
    const input = { settings: { prompt }, clientReference: 'order \u202e7' };
    expect((await server.post(generate, { input })).errors[0]?.extensions).toMatchObject({
      path: ['clientReference'],
    });
    const events = server.subscribe(
      'subscription { viewerEvents(preview: { everyMs: -1 }) { __typename } }',
    );
    await expect(events.next()).rejects.toThrow('Expected a whole number from 0 to 60000');
  });

  it.each([
    [{ seed: 'abc' }, ['settings', 'seed']],
    [{ steps: 1.5 }, ['settings', 'steps']],
    [{ sampler: 'NONE' }, ['settings', 'sampler']],
  ])('names the path of a value in a variable that is not of its type: %o', async (field, path) => {
    const { errors } = await server.post(generate, { input: { settings: { prompt, ...field } } });
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', path });
  });

  it.each([
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-04-31T12:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T12:60:00Z',
    '2026-01-01T12:00:00+24:00',
  ])('refuses a time that no calendar or clock shows: %s', async (after) => {
    const query = 'query ($f: AssetFilter) { assets(filter: $f) { nodes { id } } }';
    const { errors } = await server.post(query, { f: { createdAfter: after } });
    expect(errors[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      path: ['createdAfter'],
    });
    expect(errors[0]?.message).toContain('Expected a time such as');
  });

  it('takes the 29th of February where there is one, and a zone of half an hour', async () => {
    const query = 'query ($f: AssetFilter) { assets(filter: $f) { nodes { id } } }';
    for (const createdAfter of ['2024-02-29T23:59:59.123Z', '2026-01-31T12:00:00+05:30']) {
      expect((await server.post(query, { f: { createdAfter } })).errors).toEqual([]);
    }
  });
});
