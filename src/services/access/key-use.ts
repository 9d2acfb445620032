import { LRUCache } from 'lru-cache';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { keyIdOf, type Viewer } from './viewer.ts';

/** `lastUsedAt` is right to this, in milliseconds: not every request writes a row. */
const precisionMs = 60_000;

/** Writes down when a key was last used; nobody waits for it. */
export function createKeyUse(
  client: PrismaClient,
  onError: (error: unknown) => void,
): (viewer: Viewer) => void {
  const written = new LRUCache<string, true>({ max: 10_000, ttl: precisionMs });
  return (viewer) => {
    const id = keyIdOf(viewer);
    if (id === null || written.has(id)) return;
    written.set(id, true);
    client.apiKey.updateMany({ where: { id }, data: { lastUsedAt: new Date() } }).catch(onError);
  };
}
