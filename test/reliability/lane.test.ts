import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connectClient } from '../../src/database/client.ts';
import { draws, shutAt } from '../services/support/stand-in-engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const { gate, open, arrived } = shutAt(1);
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ generate: draws(gate) });
});
afterAll(() => server.close());

test('a generation ends while hundreds of statements of the API wait for the database', async () => {
  const { client, connection, kind } = server.app.database;
  const observer = connectClient(connection, kind);
  await server.gql(
    'mutation { generate(input: { settings: { prompt: "a boat" } }) { generation { id } } }',
  );
  await arrived;
  const asked = 400;
  let answered = 0;
  const slow = Array.from({ length: asked }, async () => {
    await client.$queryRaw`SELECT count(*) FROM generate_series(1, 50000)`;
    answered++;
  });
  open();
  await vi.waitFor(
    async () => {
      const { status } = await observer.client.generation.findFirstOrThrow();
      expect(status).toBe('SUCCEEDED');
    },
    { timeout: 30_000, interval: 1 },
  );
  expect(answered).toBeLessThan(asked);
  await Promise.all(slow);
  await observer.close();
});
