import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../src/images/encode.ts';
import { readMetadata } from '../../src/images/metadata.ts';
import { trainedAlgorithmicMedia } from '../../src/images/xmp.ts';
import { drawing, embedded, metadata, withPrompt } from './fixtures.ts';

const image = (described = metadata) => encodePng(drawing(32, 32), 32, 32, described);

/** Chunks by the specification, read on their own here. */
function chunks(png: Buffer) {
  const found: { type: string; content: Buffer; crc: number; at: number }[] = [];
  for (let at = 8; at < png.length; ) {
    const end = at + 8 + png.readUInt32BE(at);
    found.push({
      type: png.toString('latin1', at + 4, at + 8),
      content: png.subarray(at + 8, end),
      crc: png.readUInt32BE(end),
      at,
    });
    at = end + 4;
  }
  return found;
}

function withChunk(png: Buffer, type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(content.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([
    png.subarray(0, 33),
    frame.subarray(0, 4),
    body,
    frame.subarray(4),
    png.subarray(33),
  ]);
}

describe('the metadata of an original', () => {
  it('is read back exactly', async () => {
    expect(readMetadata(await image()).easel).toEqual(embedded);
  });

  it('holds the text that other programs read', async () => {
    expect(readMetadata(await image()).parameters).toBe(
      'a red boat on the sea at sunset\n' +
        'Negative prompt: blurry\n' +
        'Steps: 20, Sampler: DPM++ 2M, CFG scale: 4.5, Seed: 42, Size: 256x192, ' +
        'Model hash: 0123456789, Model: easel-mini, Version: Easel 0.1.0',
    );
  });

  it('leaves out the line of an empty negative prompt', async () => {
    const { settings } = metadata;
    const png = await image({ ...metadata, settings: { ...settings, negativePrompt: '' } });
    expect(readMetadata(png).parameters).not.toContain('Negative prompt');
  });

  it('is found by sharp, as texts and as XMP', async () => {
    const { comments, xmp } = await sharp(await image()).metadata();
    const texts = new Map(comments?.map(({ keyword, text }) => [keyword, text]));
    expect(texts.get('parameters')).toContain('Seed: 42');
    expect(JSON.parse(texts.get('easel') ?? 'null')).toEqual(embedded);
    expect(xmp?.toString()).toContain(`Iptc4xmpExt:DigitalSourceType="${trainedAlgorithmicMedia}"`);
    expect(xmp?.toString()).toContain('xmp:CreatorTool="Easel 0.1.0"');
    expect(xmp?.toString()).toContain('>a red boat on the sea at sunset</rdf:li>');
  });

  it('precedes the pixels, each chunk with its checksum', async () => {
    const found = chunks(await image());
    expect(found.map(({ type }) => type).slice(0, 4)).toEqual(['IHDR', 'tEXt', 'tEXt', 'iTXt']);
    expect(found.at(-1)?.type).toBe('IEND');
    for (const { type, content, crc } of found) {
      expect(crc32(Buffer.concat([Buffer.from(type, 'latin1'), content]))).toBe(crc);
    }
  });

  it.each([
    'ein rotes Boot auf dem Meer, größer',
    '夕暮れの海に浮かぶ赤い船 🚤',
    'красная лодка & <закат> "на" \'море\'',
    'قارب أحمر\nعلى البحر',
    'control \u0007 and \0 characters, and half \ud83d one',
  ])('survives the prompt %j', async (prompt) => {
    const png = await image(withPrompt(prompt));
    const found = readMetadata(png);
    expect(found.easel?.settings.prompt).toBe(prompt);
    const written = prompt.replace('\0', '').replace('\ud83d ', '\ufffd ');
    expect(found.parameters?.startsWith(`${written}\nNegative prompt`)).toBe(true);
    expect((await sharp(png).metadata()).xmp?.toString()).toBe(found.xmp);
    expect(found.xmp).not.toMatch(/[\0\u0007]|& |<закат/);
  });

  it('quotes what would break the line of settings', async () => {
    const settings = { ...metadata.settings, model: 'mine, Steps: 1' };
    const { parameters } = readMetadata(await image({ ...metadata, settings }));
    expect(parameters).toContain('Model: "mine, Steps: 1", Version');
  });

  it('contains only the listed keys, whatever the object carries', async () => {
    const settings = { ...metadata.settings, share: 'user-17' };
    expect((await image({ ...metadata, settings })).includes('user-17')).toBe(false);
  });
});

describe('reading metadata', () => {
  const nothing = { easel: null, parameters: null, xmp: null };

  it('finds nothing in a file without any', async () => {
    expect(readMetadata(await encodePng(drawing(8, 8), 8, 8))).toEqual(nothing);
    expect(readMetadata(Buffer.from('not an image'))).toEqual(nothing);
    expect(readMetadata(new Uint8Array(0))).toEqual(nothing);
  });

  it('reads what is left of a truncated file', async () => {
    const png = await image();
    for (let length = 0; length < png.length; length += 7) {
      const { easel } = readMetadata(png.subarray(0, length));
      if (easel) expect(easel).toEqual(embedded);
    }
  });

  it('ignores a chunk with a wrong checksum', async () => {
    const png = await image();
    const { at } = chunks(png).find(({ type }) => type === 'tEXt') ?? { at: 0 };
    png[at + 20] = (png[at + 20] ?? 0) ^ 1;
    expect(readMetadata(png)).toMatchObject({ parameters: null, easel: embedded });
  });

  it('reads compressed texts, and ignores those that inflate beyond a limit', async () => {
    const plain = await encodePng(drawing(8, 8), 8, 8);
    const zipped = (text: string) =>
      Buffer.concat([Buffer.from('parameters\0\0'), deflateSync(Buffer.from(text))]);
    const short = withChunk(plain, 'zTXt', zipped('a cat\nSteps: 3'));
    expect(readMetadata(short).parameters).toBe('a cat\nSteps: 3');
    const bomb = withChunk(plain, 'zTXt', zipped('x'.repeat(50_000_000)));
    expect(readMetadata(bomb)).toEqual(nothing);
    const international = Buffer.concat([
      Buffer.from('parameters\0\x01\0en\0Titel\0'),
      deflateSync(Buffer.from('赤い船')),
    ]);
    expect(readMetadata(withChunk(plain, 'iTXt', international)).parameters).toBe('赤い船');
  });

  it.each(['{', 'null', '{"software":1}', '[]'])('ignores %j', async (text) => {
    const plain = await encodePng(drawing(8, 8), 8, 8);
    const png = withChunk(plain, 'tEXt', Buffer.from(`easel\0${text}`));
    expect(readMetadata(png).easel).toBeNull();
  });
});
