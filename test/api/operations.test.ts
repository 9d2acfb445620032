import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { requestLimits } from '../../src/server/limits.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const engine = createStepwise();
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ generate: engine.generate, config: { maxOpenWaits: 1 } });
});
afterAll(() => server.close());

type Message = {
  id: string;
  type: string;
  payload: { data?: unknown } & { message: string; extensions: { code: string } }[];
};

/** A client that speaks the protocol word by word. */
async function connect() {
  const socket = new WebSocket(
    server.url.replace('http', 'ws').concat('/graphql'),
    'graphql-transport-ws',
  );
  onTestFinished(() => socket.terminate());
  const unread: Message[] = [];
  let wake = () => {};
  socket.on('message', (text) => {
    unread.push(JSON.parse(String(text)));
    wake();
  });
  const send = (message: object) => socket.send(JSON.stringify(message));
  const next = async (id?: string): Promise<Message> => {
    for (;;) {
      const at = unread.findIndex((message) => message.id === id);
      if (at >= 0) return unread.splice(at, 1)[0]!;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await new Promise((resolve) => socket.once('open', resolve));
  send({ type: 'connection_init' });
  await next();
  return {
    next,
    complete: (id: string) => send({ id, type: 'complete' }),
    subscribe: (id: string, query: string, operationName?: string) =>
      send({ id, type: 'subscribe', payload: { query, operationName } }),
  };
}

const wait =
  'mutation { generate(input: { settings: { prompt: "a boat" }, waitSeconds: 60 }) { replayed } }';

/** As the metrics have it. */
async function operations(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/easel_websocket_operations (\d+)/.exec(text)?.[1]);
}

describe('an operation over a WebSocket', () => {
  it('ends its wait when the client completes it', async () => {
    const client = await connect();
    client.subscribe('1', wait);
    await engine.started();
    client.complete('1');
    await expect.poll(operations, { timeout: 20_000 }).toBe(0);
    engine.release();
    const { errors } = await server.post(wait); // There is one place to wait in.
    expect(errors).toEqual([]);
  });

  it('leaves its id free only after it has ended', async () => {
    const client = await connect();
    client.subscribe('1', wait);
    client.complete('1');
    client.subscribe('1', 'subscription { viewerEvents { cursor } }');
    const refusal = await client.next('1');
    expect(refusal.type).toBe('error');
    expect(refusal.payload[0]?.extensions.code).toBe('BAD_REQUEST');
    expect(refusal.payload[0]?.message).toMatch(/got "1", whose operation has yet to end$/);
    await expect.poll(operations, { timeout: 20_000 }).toBe(0);
    client.subscribe('1', '{ __typename }');
    expect(await client.next('1')).toMatchObject({ payload: { data: { __typename: 'Query' } } });
    expect(await client.next('1')).toMatchObject({ type: 'complete' });
  });

  it('is refused beyond the limit per WebSocket', async () => {
    const client = await connect();
    const max = requestLimits.operationsPerSocket;
    for (let id = 0; id <= max; id++) {
      client.subscribe(`${id}`, 'subscription { viewerEvents { cursor } }');
    }
    const refusal = await client.next(`${max}`);
    expect(refusal.payload[0]?.extensions).toMatchObject({ code: 'RATE_LIMITED', max });
  });

  it('is refused where the document has no operation of that name', async () => {
    const client = await connect();
    client.subscribe('1', 'query A { __typename } query B { __typename }', 'C');
    client.subscribe('2', 'query A { __typename } query B { __typename }');
    for (const id of ['1', '2']) {
      expect((await client.next(id)).payload[0]?.extensions.code).toBe('BAD_REQUEST');
    }
  });
});
