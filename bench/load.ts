import { Agent, request } from 'node:http';

export type Operation = {
  readonly name: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
};

export type Load = {
  readonly connections: number;
  readonly seconds: number;
  /** Of all connections together; null: each sends as soon as it has its answer. */
  readonly requestsPerSecond: number | null;
};

export type Answered = { readonly name: string; readonly milliseconds: number };

/**
 * Kept connections, one request at a time on each, the operations in turn. At a given rate a request's time
 * counts from when it should have gone out: one that had to wait for the one before it is not let off.
 */
export async function load(
  url: string,
  operations: readonly Operation[],
  { connections, seconds, requestsPerSecond }: Load,
): Promise<Answered[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const bodies = operations.map(({ name, query, variables }) => ({
    name,
    bytes: Buffer.from(JSON.stringify({ query, variables })),
  }));
  const answered: Answered[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const intervalMs = requestsPerSecond === null ? 0 : (1000 * connections) / requestsPerSecond;

  async function connection(index: number): Promise<void> {
    let due = startedAt + (index / connections) * intervalMs;
    for (let turn = index; due < endsAt; turn++) {
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      // A timer may be late by a millisecond of its own, which is nobody's waiting time.
      const from = wait > 0 ? performance.now() : due;
      const { name, bytes } = bodies[turn % bodies.length]!;
      await send(url, agent, bytes);
      const now = performance.now();
      answered.push({ name, milliseconds: now - from });
      due = intervalMs === 0 ? now : due + intervalMs;
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, index) => connection(index)));
  agent.destroy();
  return answered;
}

function send(url: string, agent: Agent, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const sent = request(`${url}/graphql`, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200 && !text.startsWith('{"errors"')) resolve();
        else reject(new Error(`Expected an answer, but got ${response.statusCode}: ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
