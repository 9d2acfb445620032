import { parse } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildSchema } from '../../src/resolvers/build-schema.ts';
import { createAdmission } from '../../src/server/admission.ts';
import { type Cost, costOf } from '../../src/server/cost.ts';
import { admissionLimits, operationLimits } from '../../src/server/limits.ts';
import { draws } from '../services/support/stand-in-engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const cost = (query: string, variables = {}) => costOf(buildSchema(), parse(query), { variables })!;

describe('the cost of an operation', () => {
  it('is the product of the lengths of its lists, by argument, variable, default and alias', () => {
    const page = '{ projects(first: 10) { nodes { id name } } }';
    expect(cost(page)).toMatchObject({ depth: 3, fields: 1 + 10 * (1 + 2), statements: 2 });
    const edges = '{ projects(first: 10) { edges { node { id name } } } }';
    expect(cost(edges).fields).toBe(1 + 10 * (1 + 1 + 2));
    const byVariable = 'query ($n: Int = 3) { projects(first: $n) { totalCount } }';
    expect(cost(byVariable).fields).toBe(1 + 3);
    expect(cost(byVariable, { n: 7 }).fields).toBe(1 + 7);
    expect(cost('{ projects { totalCount } }').fields).toBe(1 + 50);
    expect(cost('{ projects(first: 100000) { totalCount } }').fields).toBe(1 + 1_000);
    const nested = '{ projects(first: 20) { nodes { generations(first: 30) { totalCount } } } }';
    expect(cost(nested).statements).toBe(2 + 20 * 2);
    expect(cost('{ a: projects { totalCount } b: projects { totalCount } }').statements).toBe(4);
  });

  it('counts the longest texts, and fragments wherever they are spread', () => {
    const prompts = `{ generations(first: 200) { edges { node { ...S } } } }
      fragment S on Generation { settings { prompt negativePrompt } }`;
    const characters = 200 * 2 * 8_000;
    expect(cost(prompts).bytes).toBeGreaterThan(characters);
    expect(cost(prompts).bytes).toBeLessThan(operationLimits.bytes);
  });

  it('allows what a page of projects with their newest images asks for', () => {
    const { fields, bytes, statements } = cost(`{ projects(first: 100) { totalCount nodes { id name
      assets(first: 4) { nodes { id url(width: 256) placeholder } } } } }`);
    expect(fields).toBeLessThan(operationLimits.fields);
    expect(bytes).toBeLessThan(operationLimits.bytes);
    expect(statements).toBeLessThan(operationLimits.statements);
  });
});

describe('operations that cost too much', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ generate: draws() });
  });
  afterAll(() => server.close());

  it.each([
    [
      'widths',
      'query ($w: [Int!]!) { assets { nodes { renditions(widths: $w) { width } } } }',
      'w',
    ],
    ['ids', 'query ($w: [ID!]!) { nodes(ids: $w) { id } }', 'w'],
    [
      'statuses',
      'query ($w: [GenerationStatus!]) { generations(filter: { status: $w }) { totalCount } }',
      'w',
    ],
  ])('are refused for lists that no argument takes: %s', async (_what, query, name) => {
    const { status, errors } = await server.post(query, { [name]: Array(20_000).fill('QUEUED') });
    expect([status, errors[0]?.extensions.code]).toEqual([400, 'BAD_USER_INPUT']);
    const literal = query
      .replace(/^query.*?\) \{/, '{')
      .replace(`$${name}`, `[${'1 '.repeat(1_001)}]`);
    expect((await server.post(literal)).errors.length).toBeGreaterThan(0);
  });

  it('count the items of an argument wherever it stands', async () => {
    const aliases = Array.from({ length: 50 }, (_, i) => `a${i}: renditions(widths: $w) { width }`);
    const query = `query ($w: [Int!]!) { assets(first: 1000) { nodes { ${aliases.join(' ')} } } }`;
    const { errors } = await server.post(query, { w: Array(1_000).fill(64) });
    expect(errors[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
    const widths = await server.post(
      'query ($w: [Int!]!) { assets { nodes { renditions(widths: $w) { width } } } }',
      { w: Array(21).fill(64) },
    );
    expect(widths.errors).toEqual([]); // There is no asset here to refuse it for.
  });

  const inProject = 'generations { nodes { project { generations { totalCount } } } }';
  it.each([
    ['fields', '{ projects(first: 200) { nodes { generations(first: 200) { nodes { id } } } } }'],
    [
      'bytes of an answer',
      `{ ${['a', 'b', 'c'].map((name) => `${name}: generations(first: 200) { nodes { settings { prompt negativePrompt } } }`).join(' ')} }`,
    ],
    [
      'statements of the database',
      `{ ${['a', 'b', 'c'].map((name) => inProject.replace('generations', `${name}: generations`)).join(' ')} }`,
    ],
  ])('are refused by name: %s', async (unit, query) => {
    const { status, errors } = await server.post(query);
    expect(status).toBe(400);
    expect(errors[0]).toMatchObject({
      message: expect.stringMatching(
        new RegExp(`^Expected at most \\d+ ${unit} in an operation, but got \\d+$`),
      ),
      extensions: { code: 'QUERY_TOO_COMPLEX', max: expect.any(Number), got: expect.any(Number) },
    });
    const socket = server.socketClient();
    const over = new Promise((resolve) => {
      socket.subscribe({ query }, { next: resolve, error: resolve, complete: () => {} });
    });
    expect(await over).toMatchObject([{ extensions: { code: 'QUERY_TOO_COMPLEX' } }]);
  });
});

describe('large operations at the same time', () => {
  afterEach(() => vi.useRealTimers());
  const large: Cost = {
    depth: 1,
    aliases: 0,
    fields: 1,
    bytes: admissionLimits.large.bytes / 2,
    statements: 1,
  };
  const signal = new AbortController().signal;
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('run as far as they fit together, those of each connection in turn; small ones at once', async () => {
    const admission = createAdmission();
    const begun: string[] = [];
    const [busy, other] = [{}, {}];
    const releases: (() => void)[] = [];
    const enter = (name: string, key: object) =>
      admission.enter(large, { key, signal }).then((release) => {
        begun.push(name);
        releases.push(release);
      });
    const all = [...[1, 2, 3, 4].map((n) => enter(`busy ${n}`, busy)), enter('other 1', other)];
    await turn();
    expect(begun).toEqual(['busy 1', 'busy 2']);
    await admission.enter({ ...large, bytes: 100 }, { key: busy, signal });
    for (let n = 0; n < 3; n++) {
      releases.shift()!();
      releases[0]!(); // To be called twice does no harm.
      await turn();
    }
    await Promise.all(all);
    expect(begun).toEqual(['busy 1', 'busy 2', 'other 1', 'busy 3', 'busy 4']);
  });

  it('are told to come again after too long a wait, or when the client goes', async () => {
    vi.useFakeTimers();
    const admission = createAdmission();
    const key = {};
    await admission.enter({ ...large, bytes: admissionLimits.large.bytes }, { key, signal });
    const late = admission.enter(large, { key, signal });
    const gone = new AbortController();
    const left = admission.enter(large, { key, signal: gone.signal });
    const expectation = expect(late).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      details: { retryAfter: admissionLimits.waitMs / 1000 },
    });
    gone.abort();
    await expect(left).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await vi.advanceTimersByTimeAsync(admissionLimits.waitMs);
    await expectation;
  });
});
