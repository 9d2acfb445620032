import type { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { errorCodes } from '../../src/errors.ts';
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

describe('an error', () => {
  type Case = [string, () => [string, Record<string, unknown>?], string];
  const cases: Case[] = [
    ['a document that is none', () => ['{ viewer {'], 'GRAPHQL_PARSE_FAILED'],
    ['a field that does not exist', () => ['{ nothing }'], 'GRAPHQL_VALIDATION_FAILED'],
    ['a variable that does not fit', () => [generate, { input: {} }], 'BAD_USER_INPUT'],
    [
      'a seed out of range',
      () => [generate, { input: { settings: { prompt, seed: '99999999999999999' } } }],
      'BAD_USER_INPUT',
    ],
    [
      'a value out of range',
      () => [generate, { input: { settings: { prompt, steps: 101 } } }],
      'BAD_USER_INPUT',
    ],
    [
      'a model that is not there',
      () => [generate, { input: { settings: { prompt, model: 'none' } } }],
      'BAD_USER_INPUT',
    ],
    [
      'a project that is not there',
      () => [generate, { input: { settings: { prompt }, projectId: 'none' } }],
      'NOT_FOUND',
    ],
    [
      'a page that is too long',
      () => ['{ assets(first: 1001) { nodes { id } } }'],
      'BAD_USER_INPUT',
    ],
    [
      'a cursor of something else',
      () => ['{ assets(after: "nonsense") { nodes { id } } }'],
      'BAD_CURSOR',
    ],
    [
      'a time without a zone',
      () => ['{ assets(filter: { createdAfter: "2026-01-01T00:00:00" }) { nodes { id } } }'],
      'BAD_USER_INPUT',
    ],
    [
      'a time before the year 1',
      () => ['{ assets(filter: { createdAfter: "0000-12-31T00:00:00Z" }) { nodes { id } } }'],
      'BAD_USER_INPUT',
    ],
    [
      'a time that its zone moves beyond the year 9999',
      () => [
        '{ projects { nodes { assets(filter: { createdBefore: "9999-12-31T23:00:00-02:00" }) { nodes { id } } } } }',
      ],
      'BAD_USER_INPUT',
    ],
    ...['assets', 'generations'].flatMap((list) =>
      ['search', 'model'].map(
        (name): Case => [
          `a NUL in ${name} of ${list}`,
          () => [`{ ${list}(filter: { ${name}: "\\u0000" }) { nodes { id } } }`],
          'BAD_USER_INPUT',
        ],
      ),
    ),
    [
      'a null for an input field that may not be null',
      () => [
        `mutation ($w: Int) { generate(input: { settings: { prompt: "x" }, waitSeconds: $w }) { replayed } }`,
        { w: null },
      ],
      'BAD_USER_INPUT',
    ],
    [
      'a null for a directive',
      () => ['query ($v: Boolean = true) { viewer @include(if: $v) { user { id } } }', { v: null }],
      'BAD_USER_INPUT',
    ],
    [
      'too much at once, by the default of a variable',
      () => [
        'query ($n: Int = 200) { projects(first: $n) { nodes { generations(first: $n) { nodes { id status progress } } } } }',
      ],
      'QUERY_TOO_COMPLEX',
    ],
    [
      'too many ids, by the default of a variable',
      () => [
        `query ($ids: [ID!]! = [${'"x" '.repeat(200)}]) { nodes(ids: $ids) { ... on Project { assets(first: 200) { nodes { id url format } } } } }`,
      ],
      'QUERY_TOO_COMPLEX',
    ],
    [
      'too much depth',
      () => [
        `{ projects { nodes ${'{ owner { id } assets { nodes { project '.repeat(7)} { id } ${'} } }'.repeat(7)} } }`,
      ],
      'QUERY_TOO_COMPLEX',
    ],
    [
      'too many aliases',
      () => [`{ ${Array.from({ length: 61 }, (_, i) => `a${i}: __typename`).join(' ')} }`],
      'QUERY_TOO_COMPLEX',
    ],
    [
      'too much at once',
      () => [
        '{ projects(first: 200) { nodes { generations(first: 1000) { nodes { id status progress } } } } }',
      ],
      'QUERY_TOO_COMPLEX',
    ],
    [
      'a document of too many parts',
      () => [`{ ${Array.from({ length: 5_000 }, (_, i) => `a${i}`).join(' ')} }`],
      'GRAPHQL_PARSE_FAILED',
    ],
  ];

  it.each(cases)('has a code and no stack over HTTP: %s', async (_name, request, code) => {
    const [query, variables] = request();
    const { errors, text } = await server.post(query, variables);
    expect(errors.map(({ extensions }) => extensions.code)).toEqual([code]);
    expect(errors[0]?.extensions.requestId).toMatch(/^[\w-]{12}$/);
    expect(text).not.toMatch(/stack|node_modules|\.ts:|at async/);
  });

  it.each(cases)('has a code and no stack over WebSocket: %s', async (_name, request, code) => {
    const [query, variables] = request();
    const client = server.socketClient();
    const [error] = await errorsOf(client, query, variables);
    expect(error?.extensions?.['code']).toBe(code);
    expect(errorCodes).toContain(error?.extensions?.['code']);
    expect(JSON.stringify(error)).not.toMatch(/stack|node_modules|\.ts:|at async/);
    await client.dispose();
  });

  it('has a code also beyond the number of errors that GraphQL reports', async () => {
    const ids = Array.from({ length: 60 }, () => ({}));
    const { errors } = await server.post('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', {
      ids,
    });
    expect(errors.length).toBeGreaterThan(1);
    expect(new Set(errors.map(({ extensions }) => extensions.code))).toEqual(
      new Set(['BAD_USER_INPUT']),
    );
  });

  it('states what was expected, the value and the path', async () => {
    const { errors } = await server.post(generate, { input: { settings: { prompt, steps: 101 } } });
    expect(errors[0]?.message).toMatch(/^Expected .*100.*, but got 101/);
    expect(errors[0]?.extensions).toMatchObject({ min: 1, max: 100, got: 101 });
    expect(errors[0]?.extensions['path']).toEqual(expect.arrayContaining(['settings', 'steps']));
  });

  it('leaves the other fields of the same request intact', async () => {
    const { data, errors } = await server.post(
      'mutation { bad: createProject(input: { name: "" }) { project { id } } good: createProject(input: { name: "Good" }) { project { name } } }',
    );
    expect(errors).toHaveLength(1);
    expect(data).toEqual({ bad: null, good: { project: { name: 'Good' } } });
  });

  it('that is unexpected is masked, with a request id that is also logged', async () => {
    const { client } = server.app.database;
    await client.$executeRawUnsafe('ALTER TABLE "Project" RENAME TO "ProjectGone"');
    try {
      const { errors, text } = await server.post('{ projects { nodes { id } } }');
      expect(errors[0]?.extensions.code).toBe('INTERNAL_SERVER_ERROR');
      expect(errors[0]?.message).toContain(errors[0]?.extensions.requestId);
      expect(text).not.toMatch(/ProjectGone|relation|prisma|stack/i);
    } finally {
      await client.$executeRawUnsafe('ALTER TABLE "ProjectGone" RENAME TO "Project"');
    }
  });
});

describe('a request that is not GraphQL', () => {
  const graphql = () => `${server.url}/graphql`;
  const json = { 'content-type': 'application/json' };

  it.each([
    ['malformed JSON', { method: 'POST', headers: json, body: '{' }, 400],
    [
      'a body that is too large',
      { method: 'POST', headers: json, body: JSON.stringify({ query: `#${'x'.repeat(600_000)}` }) },
      413,
    ],
    [
      'a form of another page',
      { method: 'POST', body: new URLSearchParams({ query: '{ viewer { user { id } } }' }) },
      415,
    ],
    ['an empty body', { method: 'POST', headers: json }, 400],
    [
      'a batch',
      { method: 'POST', headers: json, body: JSON.stringify([{ query: '{ __typename }' }]) },
      400,
    ],
  ])('is refused as JSON with a code: %s', async (_name, request, status) => {
    const response = await fetch(graphql(), request);
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    expect(errors[0]?.extensions.code).toBe('BAD_REQUEST');
  });

  it('is 404 with the known paths for an unknown path', async () => {
    const response = await fetch(`${server.url}/nothing`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'NOT_FOUND' } }],
    });
  });
});

describe('a WebSocket', () => {
  it('is closed after an invalid message, and others stay open', async () => {
    const client = server.socketClient();
    const socket = new WebSocket(
      server.url.replace('http', 'ws').concat('/graphql'),
      'graphql-transport-ws',
    );
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('nonsense');
    const code = await new Promise((resolve) => socket.once('close', resolve));
    expect(code).toBe(4400);
    expect(await errorsOf(client, '{ nothing }')).toHaveLength(1);
  });

  it('is closed with 1009 after a message that is too large', async () => {
    const socket = new WebSocket(
      `${server.url.replace('http', 'ws')}/graphql`,
      'graphql-transport-ws',
    );
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('x'.repeat(600_000));
    expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(1009);
  });
});

type Body = { message: string; extensions?: Record<string, unknown> };

/** The errors that an operation over a WebSocket ends with, whichever way they come. */
function errorsOf(
  client: ReturnType<typeof createClient>,
  query: string,
  variables?: Record<string, unknown>,
): Promise<readonly Body[]> {
  return new Promise((resolve) => {
    let errors: readonly Body[] = [];
    client.subscribe(
      { query, variables },
      {
        next: (result) => {
          errors = (result.errors as readonly Body[] | undefined) ?? errors;
        },
        error: (error) => resolve(error as readonly Body[]),
        complete: () => resolve(errors),
      },
    );
  });
}
