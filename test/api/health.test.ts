import { expect, it } from 'vitest';
import { startTestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

it('tells the truth: alive and ready, then alive and not ready once the database is gone', async () => {
  const server = await startTestServer({ generate: createStepwise().generate });
  const look = async (path: string) => {
    const response = await fetch(server.url + path);
    return { status: response.status, body: await response.json() };
  };
  const alive = { status: 200, body: { status: 'ok' } };
  expect(await look('/health')).toEqual(alive);
  expect(await look('/ready')).toEqual({
    status: 200,
    body: { status: 'ready', server: 'ok', database: 'ok', engine: 'ok' },
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
  expect(status).toBe(500);
  expect(errors[0]?.extensions.code).toBe('INTERNAL_SERVER_ERROR');
  await server.close().catch(() => undefined); // What is gone already cannot be closed in order.
});
