import { expect, it } from 'vitest';
import { type LogLine, startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const looksAt = (server: TestServer) => async (path: string) => {
  const response = await fetch(server.url + path);
  return { status: response.status, body: await response.json() };
};
const patiently = { timeout: 50_000, interval: 50 };

it('is alive and ready, then alive and not ready after the database is gone', async () => {
  const server = await startTestServer({ generate: createStepwise().generate });
  const look = looksAt(server);
  const alive = { status: 200, body: { status: 'ok' } };
  expect(await look('/health')).toEqual(alive);
  expect(await look('/ready')).toEqual({
    status: 200,
    body: { status: 'ready', server: 'ok', database: 'ok', engine: 'ok', disk: 'ok' },
  });
  await server.app.database.close();
  expect(await look('/health')).toEqual(alive);
  expect(await look('/ready')).toMatchObject({
    status: 503,
    body: {
      status: 'not ready',
      server: 'ok',
      engine: 'ok',
      database: expect.stringMatching(/no/),
    },
  });
  const { errors, status } = await server.post('{ viewer { user { id } } }');
  expect(status).toBe(503);
  expect(errors[0]?.extensions).toMatchObject({ code: 'UNAVAILABLE', retryAfter: 5 });
  await server.close().catch(() => undefined); // What is gone already cannot be closed in order.
});

it('is not ready while the engine does not start again, and ready when it has', async () => {
  const channel = new BroadcastChannel('engine');
  let mayStart = true;
  channel.onmessage = () => channel.postMessage(mayStart ? 'yes' : 'no');
  const workerUrl = new URL('../support/gated-worker.mjs', import.meta.url);
  const server = await startTestServer({ workerUrl });
  const look = looksAt(server);
  expect(await look('/ready')).toMatchObject({ status: 200 });
  mayStart = false;
  channel.postMessage('crash');
  await expect
    .poll(() => look('/ready'), patiently)
    .toMatchObject({
      status: 503,
      body: { database: 'ok', engine: expect.stringMatching(/^its thread is gone/) },
    });
  mayStart = true;
  await expect.poll(() => look('/ready'), patiently).toMatchObject({ status: 200 });
  await server.close();
  channel.close();
});

it('is ready again after the database has died and was reopened, and the cause is logged', async () => {
  const lines: LogLine[] = [];
  const server = await startTestServer({
    generate: createStepwise().generate,
    onLog: (line) => lines.push(line),
  });
  const look = looksAt(server);
  // A stack that overflows in the middle of it.
  const deadly = `SELECT ${'1+'.repeat(100_000)}1`;
  await expect(server.app.database.client.$queryRawUnsafe(deadly)).rejects.toThrow();
  expect(await look('/ready')).toMatchObject({ status: 503 });
  await expect.poll(() => look('/ready'), patiently).toMatchObject({ status: 200 });
  expect(lines.filter(({ msg }) => msg.startsWith('the database'))).toMatchObject([
    {
      msg: 'the database was lost, it is opened again',
      err: { message: 'Maximum call stack size exceeded' },
    },
    { msg: 'the database is open again' },
  ]);
  await server.close();
});
