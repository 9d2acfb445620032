import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { draws } from '../services/support/stand-in-engine.ts';
import { type GraphQLErrorBody, startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
let drawn: { id: string; cursor: string; eventCursor: string; assetId: string; url: string };
beforeAll(async () => {
  server = await startTestServer({ generate: draws(), config: { maxQueued: 100_000 } });
  const { generate } = await server.gql(`mutation {
    generate(input: { settings: { prompt: "a boat", seed: 1 }, waitSeconds: 60 }) {
      generation { id eventCursor images { id url } }
    }
  }`);
  const { id, eventCursor, images } = generate.generation;
  const { generations } = await server.gql('{ generations(first: 1) { edges { cursor } } }');
  const { cursor } = generations.edges[0];
  drawn = { id, eventCursor, cursor, assetId: images[0].id, url: images[0].url };
});
afterAll(() => server.close());

const runs = { numRuns: 150 };
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 }));
const number = fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger());
const anything = fc.oneof(text, number, fc.boolean(), fc.constant(null), fc.jsonValue());
/** A real one with something done to it. */
const bent = (real: () => string) =>
  fc
    .tuple(fc.nat(), fc.string({ minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([at, put, isCut]) => {
      const whole = real();
      const place = at % whole.length;
      return isCut ? whole.slice(0, place) : whole.slice(0, place) + put + whole.slice(place + 1);
    });

/** Each refusal in its own words, under its own code; nothing masked. */
function expectRefusals(status: number, errors: readonly GraphQLErrorBody[]): void {
  expect(status).toBeLessThan(500);
  for (const { message, extensions } of errors) {
    expect(extensions.code).not.toBe('INTERNAL_SERVER_ERROR');
    expect(extensions.requestId).toMatch(/./);
    expect(message).not.toMatch(/went wrong|prisma|invocation/i);
  }
}

async function post(query: string, variables: Record<string, unknown>) {
  const { status, data, errors } = await server.post(query, variables);
  expectRefusals(status, errors);
  return { data, errors };
}

test('generate refuses invalid input with the field, the limit and the value', async () => {
  const query = `mutation ($input: GenerateInput!) { generate(input: $input) { generation { id } } }`;
  const bounds = { count: 8, steps: 100, width: 4096, height: 4096 } as const;
  const field = fc.constantFrom(...(Object.keys(bounds) as (keyof typeof bounds)[]));
  await fc.assert(
    fc.asyncProperty(
      field,
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      async (name, got) => {
        const settings = { prompt: 'a boat', exactSize: true, [name]: got };
        const { errors } = await post(query, { input: { settings } });
        if (got >= 64 && got <= bounds[name] && got % 16 === 0) return;
        if (errors.length === 0) {
          expect(got).toBeGreaterThan(0);
          return;
        }
        const { message, extensions } = errors[0]!;
        expect(extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
        expect(`${message} ${extensions['path']}`).toContain(name);
        expect(`${message} ${extensions['got']}`).toContain(String(got));
        expect(message).toMatch(/\d+/);
      },
    ),
    runs,
  );
});

test('generate accepts or refuses any values, without an internal error', async () => {
  const query = `mutation ($input: GenerateInput!) { generate(input: $input) { generation { id } } }`;
  const names = [
    'negativePrompt',
    'cleanCaption',
    'model',
    'width',
    'height',
    'exactSize',
    'steps',
  ];
  const more = ['guidanceScale', 'guidanceStart', 'guidanceEnd', 'sampler', 'seed', 'count', 'x'];
  const settings = fc
    .tuple(fc.oneof(text, anything), fc.dictionary(fc.constantFrom(...names, ...more), anything))
    .map(([prompt, rest]) => ({ ...rest, prompt }));
  const outer = ['projectId', 'idempotencyKey', 'clientReference', 'priority'];
  const input = fc
    .tuple(settings, fc.dictionary(fc.constantFrom(...outer), anything))
    .map(([inner, rest]) => ({ ...rest, settings: inner }));
  await fc.assert(
    fc.asyncProperty(input, async (value) => {
      const { data, errors } = await post(query, { input: value });
      if (errors.length === 0) expect(data.generate.generation.id).toMatch(/./);
    }),
    runs,
  );
});

test('no cursor, id or page argument causes an internal error', async () => {
  const list = `query ($first: Int, $after: Cursor, $last: Int, $before: Cursor) {
    generations(first: $first, after: $after, last: $last, before: $before) { edges { cursor } }
    assets(first: $first, after: $after, last: $last, before: $before) { edges { cursor } }
    projects(first: $first, after: $after, last: $last, before: $before) { edges { cursor } }
  }`;
  const cursor = fc.oneof(
    text,
    bent(() => drawn.cursor),
    bent(() => drawn.eventCursor),
    anything,
  );
  const size = fc.oneof(fc.integer({ min: -3, max: 300 }), anything);
  const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const page = fc.record({
    first: optional(size),
    after: optional(cursor),
    last: optional(size),
    before: optional(cursor),
  });
  await fc.assert(
    fc.asyncProperty(page, (variables) => post(list, variables).then(() => {})),
    runs,
  );
  const one = `query ($id: ID!) { node(id: $id) { id } generation(id: $id) { id } }`;
  const id = fc.oneof(
    text,
    bent(() => drawn.id),
    bent(() => drawn.assetId),
    anything,
  );
  await fc.assert(
    fc.asyncProperty(id, (value) => post(one, { id: value }).then(() => {})),
    runs,
  );
});

/** Whether a text is a cursor of the log that `drawn.eventCursor` is one of: another number before the same mark. */
function isPosition(cursor: unknown): boolean {
  if (typeof cursor !== 'string') return false;
  const [, mark = ''] = Buffer.from(drawn.eventCursor, 'base64url').toString().split('.');
  return new RegExp(`^\\d+\\.${mark}$`).test(Buffer.from(cursor, 'base64url').toString());
}

test('a subscription refuses any cursor that is not one of its log', async () => {
  const client = server.socketClient();
  const query = `subscription ($after: Cursor) { viewerEvents(after: $after) { cursor } }`;
  const cursor = fc.oneof(
    text,
    bent(() => drawn.eventCursor),
    anything,
  );
  await fc.assert(
    fc.asyncProperty(cursor, async (after) => {
      if (after === null || after === drawn.eventCursor) return;
      const first = await new Promise<unknown>((resolve) => {
        const leave = client.subscribe(
          { query, variables: { after } },
          {
            next: (result) => {
              resolve(result.errors ?? result.data);
              leave();
            },
            error: resolve,
            complete: () => resolve(null),
          },
        );
        // A bent cursor may be the newest position: then nothing is sent, and only then.
        setTimeout(() => {
          if (!isPosition(after)) return;
          resolve(null);
          leave();
        }, 1_000).unref();
      });
      // A position that was there once: nothing is wrong with it.
      if (Array.isArray(first)) expectRefusals(400, first as GraphQLErrorBody[]);
    }),
    runs,
  );
  await client.dispose();
});

test('an altered or extended link, or one for another file, is refused', async () => {
  const { pathname, search } = new URL(drawn.url);
  const whole = pathname + search;
  const extended = fc.tuple(text, text).map(([a, b]) => {
    return `${whole}&${encodeURIComponent(a)}=${encodeURIComponent(b)}`;
  });
  const elsewhere = fc
    .constantFrom('..', '%2e%2e', '..%2f..', '.tmp', 'originals', '%00', '....//', 'C:\\')
    .map((part) => `/files/${part}/easel.json${search}`);
  const link = fc.oneof(bent(() => whole).map(encodeURI), extended, elsewhere);
  await fc.assert(
    fc.asyncProperty(link, async (path) => {
      if (path === whole) return;
      const status = await statusOf(path);
      expect(status, path).toBeGreaterThanOrEqual(300);
      expect(status, path).toBeLessThan(500);
    }),
    { numRuns: 300 },
  );
  expect(await statusOf(whole)).toBe(200);
});

/** The path as it is: `fetch` would tidy it up. */
function statusOf(path: string): Promise<number> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    asked.once('error', reject).end();
  });
}

test('no message crashes the server, and unknown ones close the WebSocket with a code', async () => {
  const message = fc.record(
    {
      id: fc.oneof(fc.constant('1'), anything),
      type: fc.oneof(
        fc.constantFrom(
          'connection_init',
          'subscribe',
          'next',
          'complete',
          'ping',
          'pong',
          'error',
        ),
        text,
      ),
      payload: fc.oneof(
        anything,
        fc.record({
          query: fc.oneof(text, anything),
          variables: anything,
          operationName: anything,
        }),
        fc.record({ query: fc.constant('subscription { viewerEvents { cursor } }') }),
      ),
    },
    { requiredKeys: [] },
  );
  const frame = fc.oneof(
    message.map((value) => JSON.stringify(value)),
    text,
    fc.uint8Array({ maxLength: 200 }),
  );
  const frames = fc.tuple(fc.boolean(), fc.array(frame, { maxLength: 6 }));
  await fc.assert(
    fc.asyncProperty(frames, async ([isGreeted, all]) => {
      const socket = new WebSocket(
        `${server.url.replace('http', 'ws')}/graphql`,
        'graphql-transport-ws',
      );
      socket.on('message', (data) => {
        const { type, payload } = JSON.parse(String(data));
        if (type === 'error') expectRefusals(400, payload);
      });
      const closed = new Promise<number>((resolve) => socket.once('close', resolve));
      await new Promise((resolve) => socket.once('open', resolve));
      if (isGreeted) socket.send('{"type":"connection_init"}');
      for (const one of all) socket.send(one);
      // Its answer comes after those to all that was sent before.
      const answered = new Promise<void>((resolve) => socket.once('pong', () => resolve()));
      socket.ping();
      await Promise.race([answered, closed]);
      socket.close(1000);
      const code = await closed;
      expect([1000, 1002, 1003, 1005, 1007, 1009].includes(code) || code >= 4400, `${code}`).toBe(
        true,
      );
    }),
    { numRuns: 200 },
  );
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});
