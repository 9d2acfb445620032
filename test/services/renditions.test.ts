import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renditionWidths } from '../../src/images/renditions.ts';
import { createFairTurns } from '../../src/services/library/fair-turns.ts';
import { createRenditionStore } from '../../src/services/library/rendition-store.ts';
import { openLocalStorage } from '../../src/storage/local.storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { draws } from './support/stand-in-engine.ts';

describe('renditions that are made', () => {
  it('are few at once, those of each image in turn, and none that nobody waits for', async () => {
    const turns = createFairTurns({ atOnce: 1, waiting: 4 });
    const made: string[] = [];
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const ask = (key: string, name: string, isWanted = true) =>
      turns.run(key, {
        isWanted: () => isWanted,
        work: async () => {
          await opened;
          made.push(name);
        },
      });
    const all = [
      ask('busy', 'busy 1'),
      ask('busy', 'busy 2'),
      ask('busy', 'nobody', false),
      ask('busy', 'busy 3'),
      ask('other', 'other 1'),
    ];
    await expect(ask('busy', 'busy 4')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    open();
    await Promise.all(all);
    expect(made).toEqual(['busy 1', 'busy 2', 'other 1', 'busy 3']);
  });
});

describe('renditions that are stored', () => {
  let folder: string;
  let storage: Storage;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'easel-renditions-'));
    storage = await openLocalStorage(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const stored = async () => {
    const keys: string[] = [];
    for await (const { key } of storage.list('renditions/')) keys.push(key);
    return keys.map((key) => key.replace('renditions/', '')).sort();
  };
  const bytes = new Uint8Array(100);

  it('are bounded for each asset and in all; the least recently used go', async () => {
    const limits = { perAsset: 3, bytes: 500 };
    const before = createRenditionStore(storage, limits);
    for (const name of ['a/1', 'a/2', 'a/3']) await before.add(`renditions/${name}`, bytes);
    await before.find('renditions/a/1');
    await before.add('renditions/a/4', bytes);
    expect(await stored()).toEqual(['a/1', 'a/3', 'a/4']);

    const after = createRenditionStore(storage, limits); // As after a restart.
    for (const name of ['b/1', 'b/2']) await after.add(`renditions/${name}`, bytes);
    expect(await stored()).toHaveLength(5);
    await after.find('renditions/a/1');
    await after.add('renditions/c/1', bytes);
    expect(await stored()).toHaveLength(5);
    expect(await stored()).toEqual(expect.arrayContaining(['a/1', 'b/1', 'b/2', 'c/1']));
    expect(await after.find('renditions/none')).toBeNull();
  });
});

describe('every rendition that can be asked for of one image', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ generate: draws() });
  });
  afterAll(() => server.close());

  it('is one of the few that differ', async () => {
    const { images } = (
      await server.gql(
        'mutation { generate(input: { settings: { prompt: "a boat" }, waitSeconds: 60 }) { generation { images { id width height } } } }',
      )
    ).generate.generation;
    const [{ id, width, height }] = images;
    const fields = renditionWidths.flatMap((w) =>
      renditionWidths.map((h) => `w${w}h${h}: url(width: ${w}, height: ${h}, fit: COVER)`),
    );
    const tags = new Set<string | null>();
    for (let i = 0; i < fields.length; i += 50) {
      const query = `query ($id: ID!) { node(id: $id) { ... on Asset { ${fields.slice(i, i + 50).join(' ')} } } }`;
      const { node } = await server.gql(query, { id });
      for (const url of Object.values<string>(node)) {
        const response = await fetch(url, { method: 'HEAD', headers: { accept: 'image/webp' } });
        expect(response.status).toBe(200);
        tags.add(response.headers.get('etag'));
      }
    }
    // Sides up to the image's own, and proportions of what is larger.
    const sides = renditionWidths.filter((side) => side < Math.max(width, height)).length + 1;
    expect(tags.size).toBeLessThanOrEqual((sides + renditionWidths.length) ** 2);
    expect(tags.size).toBeLessThan(fields.length / 2);
  });
});
