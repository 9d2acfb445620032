import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type GraphQLErrorBody,
  type Refused,
  startTestServer,
  type TestServer,
} from '../support/server.ts';
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

  it('names those that need no model where the model is unknown, and compares with nothing that is refused', async () => {
    const settings = {
      ...{ prompt, model: 'nope', seed: '9007199254740991', count: 8, sampler: 'DDIM', steps: 500 },
      ...{ exactSize: true, width: 200, height: 200, guidanceStart: 1.5, guidanceEnd: 0.2 },
    };
    const { errors } = await server.post(generate, { input: { settings } });
    const problems = errors[0]?.extensions['problems'] as { path: string[]; max?: number }[];
    const paths = problems.map(({ path }) => path.slice(1).join()).sort();
    expect(paths).toEqual(['guidanceStart', 'height', 'model', 'seed', 'steps', 'width']);
  });

  it('names a number of text as it came', async () => {
    const settings = { prompt, seed: '9007199254740993' }; // 2^53 + 1, which no double is.
    const { errors } = await server.post(generate, { input: { settings } });
    expect(errors[0]?.extensions).toMatchObject({ got: '9007199254740993' });
  });

  it('names every problem of a list and of a subscription at once', async () => {
    const list = `first: -1, after: "garbage", before: "g", projectId: "", filter: { search: "${'x'.repeat(9000)}", seed: -1 }`;
    const { errors } = await server.post(`{ assets(${list}) { totalCount } }`);
    const problems = errors[0]?.extensions['problems'] as { path: string[] }[];
    expect(problems.map(({ path }) => path.join('.')).sort()).toEqual([
      ...['after', 'before', 'filter.search', 'filter.seed', 'first', 'projectId'],
    ]);
    const events = server.subscribe(
      'subscription { generationEvents(id: "x", after: "y", preview: { maxSize: 1, everyMs: -5 }) { cursor } }',
    );
    const refused = await events.next().catch((error: Refused) => error.errors[0]);
    const { problems: all } = (refused as GraphQLErrorBody).extensions;
    expect((all as { path: string[] }[]).map(({ path }) => path.join('.')).sort()).toEqual([
      ...['after', 'id', 'preview.everyMs', 'preview.maxSize'],
    ]);
  });

  it.each([
    [
      '{ generations(filter: { createdAfter: "2026-02-30T00:00:00Z" }) { totalCount } }',
      'createdAfter',
    ],
    [
      '{ assets(filter: { createdBefore: "2026-01-01T24:00:00Z" }) { totalCount } }',
      'createdBefore',
    ],
  ])('names the path of a time that is none, written in the query: %s', async (query, field) => {
    const { errors } = await server.post(query);
    expect(errors[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      path: ['filter', field],
    });
    expect(errors[0]).toHaveProperty('locations');
  });

  it.each(['a\u2028b', 'abc\u200bdef', 'a\ufeff', 'a\u{e0041}'])(
    'refuses a name that shows less than it holds: %o',
    async (name) => {
      const create =
        'mutation ($input: CreateProjectInput!) { createProject(input: $input) { project { id } } }';
      const { errors } = await server.post(create, { input: { name } });
      expect(errors[0]?.extensions).toMatchObject({ path: ['name'] });
      // Joiners of emoji and Persian, and the flag of Scotland (UTS 51).
      for (const fine of ['👩‍🎨', 'می‌خواهم', '🏴󠁧󠁢󠁳󠁣󠁴󠁿']) {
        expect((await server.post(create, { input: { name: fine } })).errors).toEqual([]);
      }
    },
  );

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

  it.each(['\ufffc', '\u{1d159}', '\uffff', '\u0378', '\u2800'])(
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
