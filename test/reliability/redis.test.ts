import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRateLimits } from '../../src/server/rate-limits.ts';

const url = process.env['TEST_REDIS_URL'];

describe('rate limits without Redis', () => {
  it('count in this process while the server does not answer', async () => {
    const nowhere = new Redis('redis://127.0.0.1:1', {
      ...{ enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => null },
    });
    nowhere.on('error', () => {});
    const limits = createRateLimits(1, nowhere);
    const address = randomUUID();
    for (let i = 0; i < 10; i++) await limits.request(address);
    await expect(limits.request(address)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    nowhere.disconnect();
  });
});

// npm installs no Redis. Where TEST_REDIS_URL names none, the same limits in one process are tested above and in
// `test/access/limits.test.ts`.
describe.skipIf(url === undefined)('rate limits in Redis (TEST_REDIS_URL)', () => {
  let redis: Redis;
  beforeAll(() => {
    redis = new Redis(url ?? '');
  });
  afterAll(() => redis.disconnect());

  it('are one for all processes', async () => {
    const [one, other] = [createRateLimits(1, redis), createRateLimits(1, redis)];
    const address = randomUUID();
    for (let i = 0; i < 5; i++) {
      await one.request(address);
      await other.request(address);
    }
    for (const limits of [one, other]) {
      await expect(limits.request(address)).rejects.toMatchObject({
        code: 'RATE_LIMITED',
        details: { max: 10 },
      });
    }
  });
});
