import pg from 'pg';

/**
 * What every connection says before it asks anything else, whatever the server, the database or the role has set: the
 * adapter writes times without a zone, reads them as UTC, and expects them in ISO 8601; changes rely on what they have locked.
 */
export const sessionSettings = [
  `SET TIME ZONE 'UTC'`,
  `SET DateStyle TO 'ISO'`,
  `SET IntervalStyle TO 'postgres'`,
  `SET default_transaction_isolation TO 'read committed'`,
].join('; ');

/** One connection of its own, with these settings. */
export async function connectAlone(connection: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(sessionSettings);
  return client;
}
