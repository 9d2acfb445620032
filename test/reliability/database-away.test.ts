import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/database/client.ts';
import { draws, shutAt } from '../services/support/stand-in-engine.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { type DatabaseProxy, openDatabaseProxy } from '../support/database-proxy.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const { gate, open, arrived } = shutAt(2);
// Of a server of its own this test would have no connections to cut; the embedded one behind a proxy is the same to it.
delete process.env['TEST_DATABASE_URL'];

let database: TestDatabase;
let proxy: DatabaseProxy;
let server: TestServer;
beforeAll(async () => {
  database = await openTestDatabase();
  proxy = await openDatabaseProxy(database.connection);
  server = await startTestServer({ generate: draws(gate), config: { databaseUrl: proxy.url } });
});
afterAll(async () => {
  await server?.close();
  await proxy?.close();
  await database?.close();
});

const ready = async () => {
  const response = await fetch(`${server.url}/ready`);
  const parts = (await response.json()) as Record<string, string>;
  return { ...parts, status: response.status };
};
const operations = [
  '{ assets(first: 1) { edges { node { id } } } }',
  'mutation { createProject(input: { name: "x" }) { project { id } } }',
];

test('while the database is away requests are told to come again; what ended meanwhile is stored and heard of', async () => {
  const { generation } = (
    await server.gql(
      'mutation { generate(input: { settings: { prompt: "a boat" } }) { generation { id } } }',
    )
  ).generate;
  const events = server.subscribe(
    'subscription ($id: ID!) { generationEvents(id: $id) { __typename } }',
    { id: generation.id },
  );
  await events.next();
  await arrived;

  proxy.cut();
  for (const operation of operations) {
    const { errors } = await server.post(operation);
    expect(errors.map(({ extensions }) => extensions)).toEqual([
      expect.objectContaining({ code: 'UNAVAILABLE', retryAfter: expect.any(Number) }),
    ]);
    expect(errors[0]!.message).toMatch(/^Expected the database to answer, but it did not/);
  }
  expect(await ready()).toMatchObject({
    status: 503,
    server: 'ok',
    database: 'it does not answer',
  });
  open(); // The image is finished while there is nowhere to store its row.
  await new Promise((resolve) => setTimeout(resolve, 300));

  proxy.restore();
  const heard: string[] = [];
  for await (const event of events) heard.push(event.__typename);
  expect(heard.slice(-2)).toEqual(['GenerationImageReady', 'GenerationSucceeded']);
  const { node } = await server.gql(
    'query ($id: ID!) { node(id: $id) { ... on Generation { status images { id } } } }',
    { id: generation.id },
  );
  expect(node).toMatchObject({ status: 'SUCCEEDED', images: [expect.anything()] });
  expect(await ready()).toMatchObject({ status: 200, database: 'ok' });
});

test('while the database is read-only, requests that change something are told so, and a start says it', async () => {
  await database.client.$executeRaw`SET default_transaction_read_only = on`;
  const { errors } = await server.post(operations[1]!);
  expect(errors[0]).toMatchObject({
    message: 'Expected a database that can be written to, but for now it is read-only',
    extensions: { code: 'UNAVAILABLE' },
  });
  expect(await ready()).toMatchObject({ status: 503, database: 'it is read-only' });
  await expect(openDatabase({ dataDir: database.dataDir, databaseUrl: proxy.url })).rejects.toThrow(
    /^Expected a database that can be written to at postgresql:.*, but it is read-only/,
  );
  await database.client.$executeRaw`SET default_transaction_read_only = off`;
  expect((await server.post(operations[1]!)).errors).toEqual([]);
});
