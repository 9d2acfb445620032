import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BadByteRange,
  BadStorageKey,
  ObjectMissing,
  type Storage,
} from '../../src/storage/storage.ts';

/** A fresh, empty storage, and how to take it away again. */
export type OpenedStorage = { readonly storage: Storage; readonly close: () => Promise<void> };

/** What every place for bytes promises. Each adapter runs it: `storageContract('local', open)`. */
export function storageContract(name: string, openEmpty: () => Promise<OpenedStorage>): void {
  describe(`storage contract: ${name}`, () => {
    let storage: Storage;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ storage, close } = await openEmpty());
    });
    afterEach(() => close());

    const keysUnder = async (prefix: string) => {
      const keys: string[] = [];
      for await (const { key } of storage.list(prefix)) keys.push(key);
      return keys.sort();
    };
    const readRange = async (key: string, start: number, end: number) =>
      (await buffer(await storage.open(key, { start, end }))).toString();

    describe('objects', () => {
      it('reads back the same bytes', async () => {
        const bytes = randomBytes(70_000);
        await storage.write('originals/a/b.png', bytes);
        expect((await storage.read('originals/a/b.png')).equals(bytes)).toBe(true);
        expect((await buffer(await storage.open('originals/a/b.png'))).equals(bytes)).toBe(true);
      });

      it('keeps an object of no bytes', async () => {
        await storage.write('empty', new Uint8Array(0));
        expect(await storage.read('empty')).toHaveLength(0);
        expect(await buffer(await storage.open('empty'))).toHaveLength(0);
        expect((await storage.stat('empty'))?.bytes).toBe(0);
      });

      it('keeps an object of 32 MB', async () => {
        const bytes = randomBytes(32 * 1024 * 1024);
        await storage.write('large', bytes);
        expect((await storage.stat('large'))?.bytes).toBe(bytes.length);
        expect((await storage.read('large')).equals(bytes)).toBe(true);
      });

      it('stores a view of a larger buffer, not the buffer', async () => {
        const whole = Uint8Array.from([1, 2, 3, 4, 5]);
        await storage.write('view', whole.subarray(1, 3));
        expect([...(await storage.read('view'))]).toEqual([2, 3]);
      });

      it('replaces an object', async () => {
        await storage.write('a', Buffer.from('a long first version'));
        await storage.write('a', Buffer.from('short'));
        expect((await storage.read('a')).toString()).toBe('short');
      });

      it('says how long an object is and when it was written', async () => {
        const before = Date.now();
        await storage.write('a', Buffer.from('12345'));
        const info = await storage.stat('a');
        expect(info?.bytes).toBe(5);
        // Clocks of a file system tick coarsely, those of a bucket in seconds.
        expect(info?.modifiedAt.getTime()).toBeGreaterThan(before - 2_000);
        expect(info?.modifiedAt.getTime()).toBeLessThan(Date.now() + 2_000);
      });

      it('tells a missing object from an empty one', async () => {
        await expect(storage.read('nothing')).rejects.toThrow(ObjectMissing);
        await expect(storage.open('nothing/here')).rejects.toThrow(ObjectMissing);
        expect(await storage.stat('nothing')).toBeNull();
        await storage.write('folder/object', Buffer.from('x'));
        await expect(storage.read('folder')).rejects.toThrow(ObjectMissing);
        expect(await storage.stat('folder')).toBeNull();
        expect(await storage.stat('folder/object/below')).toBeNull();
      });

      it('deletes an object, and again without an error', async () => {
        await storage.write('a/b', Buffer.from('x'));
        await storage.write('a/c', Buffer.from('y'));
        await storage.delete('a/b');
        await storage.delete('a/b');
        await storage.delete('never/there');
        await storage.delete('a');
        expect(await storage.stat('a/b')).toBeNull();
        expect((await storage.read('a/c')).toString()).toBe('y');
      });
    });

    describe('ranges', () => {
      beforeEach(() => storage.write('digits', Buffer.from('0123456789')));

      it('reads the bytes from start to end, both included', async () => {
        expect(await readRange('digits', 0, 0)).toBe('0');
        expect(await readRange('digits', 2, 5)).toBe('2345');
        expect(await readRange('digits', 9, 9)).toBe('9');
      });

      it('clips a range at the end of the object', async () => {
        expect(await readRange('digits', 7, 1_000)).toBe('789');
        expect(await readRange('digits', 10, 12)).toBe('');
      });

      it.each([
        [-1, 2],
        [3, 2],
        [0.5, 2],
        [0, Number.NaN],
        [0, Number.POSITIVE_INFINITY],
      ])('refuses the range %s to %s', async (start, end) => {
        await expect(storage.open('digits', { start, end })).rejects.toThrow(BadByteRange);
      });
    });

    describe('keys', () => {
      it.each([
        '',
        '.',
        '..',
        '../a',
        'a/../b',
        'a/..',
        './a',
        'a/./b',
        '/a',
        'a/',
        'a//b',
        '//',
        'a\\b',
        '..\\a',
        'a\0b',
        'a\nb',
        'a\x7f',
        '\ud800',
        '.tmp/a',
        'x'.repeat(513),
        'é'.repeat(257),
        'x'.repeat(256),
      ])('refuses %j everywhere', async (key) => {
        await expect(storage.write(key, Buffer.from('x'))).rejects.toThrow(BadStorageKey);
        await expect(storage.read(key)).rejects.toThrow(BadStorageKey);
        await expect(storage.open(key)).rejects.toThrow(BadStorageKey);
        await expect(storage.stat(key)).rejects.toThrow(BadStorageKey);
        await expect(storage.delete(key)).rejects.toThrow(BadStorageKey);
        expect(await keysUnder('')).toEqual([]);
      });

      it.each([
        '..a',
        'a..b/c...d',
        '...',
        'with space/and more',
        'ünïcødé/画像/🎨.png',
        '%2e%2e/%2f',
        '?query#hash&amp;<x>',
        '~host',
        'quote\'double"',
        '-rf',
        'a/.tmp/b',
        `${'x'.repeat(255)}/${'y'.repeat(255)}`,
      ])('takes %j for a plain name', async (key) => {
        await storage.write(key, Buffer.from(key));
        expect((await storage.read(key)).toString()).toBe(key);
        expect(await keysUnder('')).toEqual([key]);
        await storage.delete(key);
        expect(await keysUnder('')).toEqual([]);
      });
    });

    describe('lists', () => {
      beforeEach(async () => {
        for (const key of ['a/1', 'a/2/deep/er', 'ab', 'b/1', 'c']) {
          await storage.write(key, Buffer.from(key));
        }
      });

      it('finds all objects whose key begins with the prefix', async () => {
        expect(await keysUnder('')).toEqual(['a/1', 'a/2/deep/er', 'ab', 'b/1', 'c']);
        expect(await keysUnder('a')).toEqual(['a/1', 'a/2/deep/er', 'ab']);
        expect(await keysUnder('a/')).toEqual(['a/1', 'a/2/deep/er']);
        expect(await keysUnder('a/2/d')).toEqual(['a/2/deep/er']);
        expect(await keysUnder('c')).toEqual(['c']);
      });

      it('finds nothing under a prefix of no object', async () => {
        expect(await keysUnder('nothing/here/')).toEqual([]);
        expect(await keysUnder('c/')).toEqual([]);
      });

      it('says of each object what `stat` says', async () => {
        for await (const { key, ...info } of storage.list('')) {
          expect(info).toEqual(await storage.stat(key));
        }
      });

      it.each(['../', '/', 'a/../', 'a//'])('refuses the prefix %j', async (prefix) => {
        await expect(keysUnder(prefix)).rejects.toThrow(BadStorageKey);
      });
    });

    describe('under concurrency', () => {
      it('gives readers the old or the new object, never a mixture', async () => {
        const version = (n: number) => Buffer.alloc(200_000 + n * 1_000, n);
        await storage.write('a', version(0));
        let isWriting = true;
        const isWhole = (bytes: Buffer) => bytes.equals(version(bytes[0] ?? -1));
        const readAgainAndAgain = async () => {
          for (let reads = 0; isWriting || reads === 0; reads++) {
            expect(isWhole(await storage.read('a'))).toBe(true);
            expect(isWhole(await buffer(await storage.open('a')))).toBe(true);
          }
        };
        const readers = Promise.all([readAgainAndAgain(), readAgainAndAgain()]);
        for (let n = 1; n <= 20; n++) await storage.write('a', version(n));
        isWriting = false;
        await readers;
        expect((await storage.read('a')).equals(version(20))).toBe(true);
      });

      it('keeps the whole object of one of two writers of a key', async () => {
        const versions = Array.from({ length: 8 }, (_, n) => Buffer.alloc(100_000, n));
        await Promise.all(versions.map((bytes) => storage.write('same/key', bytes)));
        const kept = await storage.read('same/key');
        expect(versions.some((bytes) => bytes.equals(kept))).toBe(true);
        expect(await keysUnder('')).toEqual(['same/key']);
      });

      it('loses no write to a simultaneous delete', async () => {
        for (let round = 0; round < 20; round++) {
          await storage.write('folder/in/gone', Buffer.from('x'));
          await Promise.all([
            storage.delete('folder/in/gone'),
            storage.write('folder/in/kept', Buffer.from('y')),
          ]);
          expect(await keysUnder('folder/')).toEqual(['folder/in/kept']);
          await storage.delete('folder/in/kept');
        }
      });

      it('does not list objects that are being written', async () => {
        const bytes = Buffer.alloc(4_000_000, 1);
        let isWriting = true;
        const writing = storage.write('slow', bytes).finally(() => {
          isWriting = false;
        });
        while (isWriting) {
          for await (const found of storage.list('')) {
            expect(found).toMatchObject({ key: 'slow', bytes: bytes.length });
          }
        }
        await writing;
        expect(await keysUnder('')).toEqual(['slow']);
      });
    });
  });
}
