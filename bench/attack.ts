import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { getIntrospectionQuery } from 'graphql';
import WebSocket from 'ws';
import { type Benchmark, type Figure, percentile } from './figure.ts';
import { type Server, withServer } from './server.ts';

/** What is promised of every attack. */
const mostResidentMb = 1_500;
const mostP99Ms = 1_000;

/** Begins an attack; ends it when the function that it gives is called. */
type Attack = (server: Server) => Promise<() => void>;

/** Whatever clients do, the process lives, its memory is bounded, and an honest user is answered. */
export const attack: Benchmark = {
  title: 'An honest user (20 requests a second) beside each attack',
  async run({ isQuick }) {
    const seconds = isQuick ? 3 : 8;
    const figures: Figure[] = [];
    await withServer(async (server) => {
      await fill(server);
      await honestUser(server, 1);
      figures.push(...figuresOf('nobody', await honestUser(server, seconds), server));
      for (const [name, begin] of Object.entries(attacks)) {
        const end = await begin(server);
        const latencies = await honestUser(server, seconds);
        figures.push(...figuresOf(name, latencies, server));
        end();
        await delay(1_000);
      }
    });
    return figures;
  },
};

function figuresOf(name: string, latencies: readonly number[], server: Server): Figure[] {
  const note = `${latencies.length} requests`;
  const p99 = percentile(latencies, 0.99);
  return [
    { what: `${name}: honest p50`, value: percentile(latencies, 0.5), unit: 'ms', note },
    { what: `${name}: honest p99`, value: p99, unit: 'ms', atMost: mostP99Ms },
    {
      what: `${name}: resident`,
      value: server.memory().resident,
      unit: 'MB',
      atMost: mostResidentMb,
    },
  ];
}

/** Begins a request every 50 ms, whatever became of those before. */
async function honestUser(server: Server, seconds: number): Promise<number[]> {
  const body = JSON.stringify({
    query: '{ generations(first: 20) { nodes { id status settings { prompt } } } }',
  });
  const latencies: number[] = [];
  const requests: Promise<void>[] = [];
  for (let n = 0; n < seconds * 20; n++) {
    const startedAt = performance.now();
    const request = fetch(`${server.url}/graphql`, { method: 'POST', headers, body }).then(
      async (response) => {
        const text = await response.text();
        if (response.status !== 200 || text.includes('"errors"'))
          throw new Error(text.slice(0, 300));
        latencies.push(performance.now() - startedAt);
      },
    );
    requests.push(request);
    await delay(50);
  }
  await Promise.all(requests);
  return latencies;
}

const headers = { 'content-type': 'application/json' };
const prompts = '{ generations(first: 200) { nodes { id settings { prompt } } } }';

/** Rows to ask for: 200 generations with long prompts, cancelled at once. */
async function fill(server: Server): Promise<void> {
  const prompt = 'a red boat on the sea at sunset '.repeat(200);
  const query = `mutation ($prompt: String!) { generate(input: { settings: { prompt: $prompt } }) { generation { id } } }`;
  const cancel = `mutation ($id: ID!) { cancelGeneration(input: { id: $id }) { alreadyFinished } }`;
  const post = async (body: object) =>
    (await (
      await fetch(`${server.url}/graphql`, { method: 'POST', headers, body: JSON.stringify(body) })
    ).json()) as { data: { generate: { generation: { id: string } } } };
  for (let n = 0; n < 200; n++) {
    const { data } = await post({ query, variables: { prompt } });
    await post({ query: cancel, variables: { id: data.generate.generation.id } });
  }
}

async function openSocket(server: Server): Promise<WebSocket> {
  const socket = new WebSocket(
    `${server.url.replace('http', 'ws')}/graphql`,
    'graphql-transport-ws',
  );
  socket.on('error', () => {});
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  return socket;
}

const subscribe = (id: number, query: string) =>
  JSON.stringify({ id: String(id), type: 'subscribe', payload: { query } });

function openTcp(server: Server): Socket {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  return socket.on('error', () => {});
}

const getRequest = (query: string) =>
  `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nApollo-Require-Preflight: 1\r\n\r\n`;

/** So many clients that each ask again as soon as they are answered. */
function overAndOver(server: Server, clients: number, query: string): () => void {
  let isOver = false;
  const body = JSON.stringify({ query });
  const client = async () => {
    while (!isOver) {
      const answer = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body });
      await answer.arrayBuffer();
    }
  };
  for (let n = 0; n < clients; n++) client().catch(() => {});
  return () => {
    isOver = true;
  };
}

const attacks: Readonly<Record<string, Attack>> = {
  async 'two WebSockets that never read, 100 queries each'(server) {
    const sockets = [await openSocket(server), await openSocket(server)];
    for (const socket of sockets) {
      socket.pause();
      for (let id = 0; id < 100; id++) socket.send(subscribe(id, prompts));
    }
    return () => sockets.map((socket) => socket.terminate());
  },
  async '4,000 pings on a WebSocket that never reads'(server) {
    const socket = await openSocket(server);
    socket.pause();
    for (let n = 0; n < 4_000; n++) socket.ping(Buffer.alloc(125));
    return () => socket.terminate();
  },
  async '20,000 pipelined requests, unread'(server) {
    const socket = openTcp(server);
    socket.pause();
    for (let n = 0; n < 20; n++) socket.write(getRequest(prompts).repeat(1_000));
    return () => socket.destroy();
  },
  '40 large answers at once, over and over': async (server) => overAndOver(server, 40, prompts),
  async '20,000 subscriptions, each completed at once'(server) {
    const socket = await openSocket(server);
    for (let id = 0; id < 20_000; id++) {
      socket.send(subscribe(id, 'subscription { viewerEvents { __typename } }'));
      socket.send(JSON.stringify({ id: String(id), type: 'complete' }));
    }
    return () => socket.terminate();
  },
  async '2,000 subscriptions'(server) {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(server)));
    for (const socket of sockets) {
      for (let id = 0; id < 100; id++) {
        socket.send(subscribe(id, 'subscription { viewerEvents { __typename } }'));
      }
    }
    return () => sockets.map((socket) => socket.terminate());
  },
  'introspection by 10 clients, over and over': async (server) =>
    overAndOver(server, 10, getIntrospectionQuery()),
  async '3,000 connections that say nothing'(server) {
    const sockets = Array.from({ length: 3_000 }, () => openTcp(server));
    await delay(500);
    return () => sockets.map((socket) => socket.destroy());
  },
};
