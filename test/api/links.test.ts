import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sniff } from '../../src/images/sniff.ts';
import { linkKeysIn } from '../../src/services/library/link-keys.ts';
import { createLinks } from '../../src/services/library/links.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

type Links = Record<'original' | 'small' | 'webp' | 'download' | 'bare', string>;
let server: TestServer;
let links: Links;
let other: Links;

beforeAll(async () => {
  const engine = createStepwise();
  engine.release();
  server = await startTestServer({ generate: engine.generate });
  [links, other] = [await drawn('1'), await drawn('2')];
});
afterAll(() => server.close());

async function drawn(seed: string): Promise<Links> {
  const input = {
    settings: { prompt: 'a boat', seed, width: 128, height: 128, exactSize: true },
    waitSeconds: 60,
  };
  const query = `mutation ($input: GenerateInput!) { generate(input: $input) { generation { images {
    original: url small: url(width: 50) webp: url(width: 64, format: WEBP)
    download: url(download: true) bare: url(stripMetadata: true, format: PNG)
  } } } }`;
  return (await server.gql(query, { input })).generate.generation.images[0];
}

const bodyOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const codeOf = async (response: Response) =>
  ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions
    .code;

describe('a link', () => {
  it('returns the original unchanged', async () => {
    const response = await fetch(links.original);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toContain('immutable');
    expect(sniff(await bodyOf(response))).toEqual({ format: 'PNG', width: 128, height: 128 });
  });

  it('is refused for a null argument that has a default', async () => {
    const query = 'query ($fit: ImageFit) { assets(first: 1) { nodes { url(fit: $fit) } } }';
    const { errors } = await server.post(query, { fit: null });
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  });

  it('returns a rendition of the next larger size', async () => {
    expect(links.small).toContain('width=64');
    const response = await fetch(links.webp);
    expect(response.headers.get('content-type')).toBe('image/webp');
    expect(sniff(await bodyOf(response))).toEqual({ format: 'WEBP', width: 64, height: 64 });
  });

  it('returns the format that the Accept header prefers', async () => {
    const webp = await fetch(links.small, { headers: { accept: 'image/avif,image/webp,*/*' } });
    expect(webp.headers.get('content-type')).toMatch(/image\/(webp|avif)/);
    expect(webp.headers.get('vary')).toMatch(/accept/i);
    const jpeg = await fetch(links.small, { headers: { accept: 'image/jpeg' } });
    expect(jpeg.headers.get('content-type')).toBe('image/jpeg');
    expect(jpeg.headers.get('etag')).not.toBe(webp.headers.get('etag'));
  });

  it('renders a rendition once for simultaneous requests', async () => {
    const responses = await Promise.all(Array.from({ length: 8 }, () => fetch(other.webp)));
    const bodies = await Promise.all(responses.map(bodyOf));
    expect(bodies.every((body) => body.equals(bodies[0]!))).toBe(true);
  });

  it('is answered with 304 where If-None-Match matches', async () => {
    const first = await fetch(links.small);
    const etag = first.headers.get('etag')!;
    await bodyOf(first);
    const again = await fetch(links.small, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    expect(await bodyOf(again)).toHaveLength(0);
    expect(again.headers.get('cache-control')).toContain('immutable');
  });

  it('returns ranges for GET, and only headers for HEAD', async () => {
    const whole = await bodyOf(await fetch(links.original));
    const part = await fetch(links.original, { headers: { range: 'bytes=8-15' } });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 8-15/${whole.length}`);
    expect(await bodyOf(part)).toEqual(whole.subarray(8, 16));
    const end = await fetch(links.original, { headers: { range: 'bytes=-4' } });
    expect(await bodyOf(end)).toEqual(whole.subarray(-4));
    const beyond = await fetch(links.original, { headers: { range: `bytes=${whole.length}-` } });
    expect(beyond.status).toBe(416);
    const invalid = await fetch(links.original, { headers: { range: 'bytes=9-1' } });
    expect(invalid.status).toBe(200);
    await bodyOf(invalid);
    const head = await fetch(links.original, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(whole.length));
    expect(await bodyOf(head)).toHaveLength(0);
  });

  it('ignores Range in a HEAD request (RFC 9110, 14.2)', async () => {
    const whole = await bodyOf(await fetch(links.original));
    for (const range of ['bytes=8-15', `bytes=${whole.length}-`]) {
      const head = await fetch(links.original, { method: 'HEAD', headers: { range } });
      expect(head.status).toBe(200);
      expect(head.headers.get('content-length')).toBe(String(whole.length));
      expect(head.headers.get('content-range')).toBeNull();
    }
  });

  it('returns a range only of the version that If-Range names', async () => {
    const first = await fetch(links.original);
    const etag = first.headers.get('etag')!;
    const whole = await bodyOf(first);
    const ask = (ifRange: string) =>
      fetch(links.original, { headers: { range: 'bytes=0-3', 'if-range': ifRange } });
    expect(await bodyOf(await ask(etag))).toHaveLength(4);
    expect(await bodyOf(await ask('"another"'))).toHaveLength(whole.length);
  });

  it('is refused with 412 where If-Match names another version (RFC 9110, 13.1.1)', async () => {
    const etag = (await fetch(links.original)).headers.get('etag')!;
    const ask = (ifMatch: string) =>
      fetch(links.original, { headers: { 'if-match': ifMatch, range: 'bytes=0-3' } });
    expect((await ask('"another"')).status).toBe(412);
    expect((await ask(`W/${etag}`)).status).toBe(412);
    for (const ifMatch of [etag, '*', `"another", ${etag}`]) {
      expect((await ask(ifMatch)).status).toBe(206);
    }
  });

  it('returns the largest rendition for a width beyond it', async () => {
    const query = (width: number) =>
      `{ assets(first: 1) { nodes { url(width: ${width}, format: WEBP) } } }`;
    for (const width of [4096, 100_000]) {
      const { data, errors } = await server.post(query(width));
      expect(errors).toEqual([]);
      const response = await fetch(data.assets.nodes[0].url);
      expect(response.status).toBe(200);
      expect(sniff(await bodyOf(response))).toEqual({ format: 'WEBP', width: 128, height: 128 });
    }
  });

  it('without metadata keeps format and pixels where nothing else is asked for', async () => {
    const { data } = await server.post(
      '{ assets(first: 1) { nodes { url plain: url(stripMetadata: true) } } }',
    );
    const { url, plain } = data.assets.nodes[0];
    const [original, bare] = await Promise.all(
      [url, plain].map(async (link: string) =>
        bodyOf(await fetch(link, { headers: { accept: 'image/avif,image/webp,*/*' } })),
      ),
    );
    expect(sniff(bare!)).toEqual({ format: 'PNG', width: 128, height: 128 });
    expect(bare!.includes('a boat')).toBe(false);
    expect(await pixelsOf(bare!)).toEqual(await pixelsOf(original!));
  });

  it('to a rendition returns the mark of a generated image, but not the prompt', async () => {
    for (const link of [links.small, links.webp]) {
      const bytes = await bodyOf(await fetch(link));
      expect(bytes.includes('a boat')).toBe(false);
      expect(bytes.includes('trainedAlgorithmicMedia')).toBe(true);
    }
  });

  it('has a Content-Disposition with a file name for download', async () => {
    const saved = await fetch(links.download);
    expect(saved.headers.get('content-disposition')).toMatch(
      /^attachment; filename="?easel-1\.png"?/,
    );
    const shown = await fetch(links.original);
    expect(shown.headers.get('content-disposition')).toMatch(/^inline/);
  });

  it('returns no prompt with stripMetadata', async () => {
    const [whole, bare] = await Promise.all(
      [links.original, links.bare].map(async (link) => bodyOf(await fetch(link))),
    );
    expect(whole!.includes('a boat')).toBe(true);
    expect(bare!.includes('a boat')).toBe(false);
  });

  it.each([
    ['another size', () => links.small.replace('width=64', 'width=4096')],
    ['a longer life', () => links.original.replace(/expires=\d+/, 'expires=9999999999')],
    ['another file', () => links.original.replace(idOf(links.original), idOf(other.original))],
    ['another signature', () => `${links.original.slice(0, -2)}xx`],
    ['no signature', () => links.original.replace(/&signature=.*/, '')],
    ['one more parameter', () => links.original.replace('?', '?width=64&')],
    ['a path that climbs', () => links.original.replace('/files/', '/files/..%2f..%2f')],
  ])('is refused with %s', async (_name, altered) => {
    const response = await fetch(altered());
    expect(response.status).toBe(403);
    expect(await codeOf(response)).toBe('FORBIDDEN');
    expect(response.headers.get('cache-control') ?? '').not.toContain('immutable');
  });

  it('is 410 after it has expired', async () => {
    const keys = linkKeysIn(server.app.dataFolder, null);
    const now = () => Date.now() - 3 * 24 * 60 * 60 * 1000;
    const old = createLinks({ keys, now }).sign(idOf(links.original), {});
    const response = await fetch(server.url + old);
    expect(response.status).toBe(410);
    expect(await codeOf(response)).toBe('NOT_FOUND');
  });

  it('is 404 after the asset was deleted', async () => {
    const { client } = server.app.database;
    const gone = await drawn('3');
    await client.asset.delete({ where: { id: idOf(gone.original) } });
    const response = await fetch(gone.original);
    expect(response.status).toBe(404);
    expect(await codeOf(response)).toBe('NOT_FOUND');
  });
});

describe('the signature', () => {
  const id = '01a210b2-92a2-7763-9d1f-fbbb15b2ac56';
  const day = 24 * 60 * 60 * 1000;
  const noon = Date.UTC(2026, 0, 1, 12);
  let now = noon;
  const { sign, verify, expiry } = createLinks({ keys: () => ['ab'.repeat(32)], now: () => now });
  const verifying = (link: string) => verify(...(link.split('?') as [string, string]));

  it('is the same for a whole day, and valid for at least one more', () => {
    now = Date.UTC(2026, 0, 1);
    const morning = sign(id, { width: 300 });
    now += day - 1;
    expect(sign(id, { width: 300 })).toBe(morning);
    expect(expiry().getTime() - now).toBeGreaterThanOrEqual(day);
    now += 1;
    expect(sign(id, { width: 300 })).not.toBe(morning);
    now += day - 1;
    expect(verifying(morning)).toMatchObject({ assetId: id, width: 384 });
    now += 1;
    expect(() => verifying(morning)).toThrow(/ended at 2026-01-03T00:00:00.000Z/);
  });

  it('is equal for options of equal meaning', () => {
    now = noon;
    expect(sign(id, { width: 100, fit: 'COVER', download: false })).toBe(sign(id, { width: 128 }));
    expect(sign(id, {})).not.toBe(sign(id, { download: true }));
  });

  it.each([0, -1, 1.5])('is refused for a size of %s', (width) => {
    expect(() => sign(id, { width })).toThrow(
      /^Expected a whole number of pixels from 1 on in width/,
    );
  });
});

/** Decoded by the image library itself, not through the code under test. */
async function pixelsOf(bytes: Buffer): Promise<Buffer> {
  return sharp(bytes).removeAlpha().raw().toBuffer();
}

function idOf(link: string): string {
  return /\/files\/([0-9a-f-]+)/.exec(link)?.[1] ?? '';
}
