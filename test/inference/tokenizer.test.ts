import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { loadTokenizer, type Tokenizer } from '../../src/inference/prompt/tokenizer.ts';

type Fixture = {
  size: number;
  charsmap: string;
  pieces: [id: number, piece: string, score: number][];
};

/** T5's pieces at their ids; everywhere else a piece that no text contains. */
async function t5Pieces() {
  const file = new URL('../fixtures/t5-pieces.json', import.meta.url);
  const fixture = JSON.parse(await readFile(file, 'utf8')) as Fixture;
  const vocabulary = Array.from({ length: fixture.size }, (_, id): [string, number] => [
    `\u{10fffd}${id}`,
    -13,
  ]);
  for (const [id, piece, score] of fixture.pieces) vocabulary[id] = [piece, score];
  return { vocabulary, charsmap: Buffer.from(fixture.charsmap, 'base64') };
}

const sentinels = Array.from({ length: 100 }, (_, i) => `<extra_id_${99 - i}>`);

function tokenizerJson({ vocabulary, charsmap }: Awaited<ReturnType<typeof t5Pieces>>) {
  const special = [...['<pad>', '</s>', '<unk>'].entries()].concat(
    sentinels.map((content, i) => [vocabulary.length + i, content]),
  );
  return {
    version: '1.0',
    added_tokens: special.map(([id, content]) => ({
      id,
      content,
      special: true,
      normalized: false,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Precompiled', precompiled_charsmap: charsmap.toString('base64') },
        { type: 'Strip', strip_left: false, strip_right: true },
        { type: 'Replace', pattern: { Regex: ' {2,}' }, content: '▁' },
      ],
    },
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' },
    model: {
      type: 'Unigram',
      unk_id: 2,
      vocab: [...vocabulary, ...sentinels.map((content) => [content, 0])],
      byte_fallback: false,
    },
  };
}

/** A `ModelProto` of sentencepiece_model.proto, with the negative ids that T5's has. */
function spieceModel({ vocabulary, charsmap }: Awaited<ReturnType<typeof t5Pieces>>): Buffer {
  const types = [3, 3, 2];
  const pieces = vocabulary.map(([piece, score], id) => {
    const float = Buffer.alloc(4);
    float.writeFloatLE(score);
    const type = types[id];
    const content = [field(1, Buffer.from(piece)), Buffer.of(0x15), float];
    return field(1, Buffer.concat(type ? [...content, Buffer.of(0x18, type)] : content));
  });
  const minusOne = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
  const trainer = Buffer.of(0x18, 1, 0xc0, 0x02, 2, 0xc8, 0x02, ...minusOne);
  const normalizer = Buffer.concat([field(1, Buffer.from('nmt_nfkc')), field(2, charsmap)]);
  return Buffer.concat([...pieces, field(2, trainer), field(3, normalizer)]);
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(varint(number * 8 + 2)),
    Buffer.from(varint(content.length)),
    content,
  ]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

let folder: string;
let model: Awaited<ReturnType<typeof t5Pieces>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
  model = await t5Pieces();
});
afterAll(() => rm(folder, { recursive: true }));

async function load(files: Record<string, string | Buffer>): Promise<Tokenizer> {
  const own = await mkdtemp(join(folder, 'model-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(own, name), content);
  return loadTokenizer(own);
}

// Ids of T5's own tokenizer: transformers (special tokens) and sentencepiece 0.2 (character map).
const vectors: [text: string, ids: number[]][] = [
  [
    'A small cactus with a happy face in the Sahara desert.',
    [71, 422, 3, 75, 18141, 7, 28, 3, 9, 1095, 522, 16, 8, 1138, 14888, 9980, 5, 1],
  ],
  [
    'a small cactus with a happy face in the sahara desert.',
    [3, 9, 422, 3, 75, 18141, 7, 28, 3, 9, 1095, 522, 16, 8, 3, 7, 9, 14888, 9980, 5, 1],
  ],
  ['cute cat', [5295, 1712, 1]],
  ['a  b\tc\n d', [3, 9, 3, 115, 3, 75, 3, 26, 1]],
  [
    'naïve café №5 ½ “hi” — 日本',
    [3, 29, 9, 2, 162, 11949, 465, 755, 209, 2, 357, 105, 107, 23, 153, 3, 318, 3, 2, 1],
  ],
  ['', [1]],
  ['  ', [1]],
  ['a</s>b', [3, 9, 1, 3, 115, 1]],
  ['<extra_id_0>', [32099, 1]],
  ['<extra_id_99>', [32000, 1]],
  ['<pad>', [0, 1]],
  ['ﬁne ｆｕｌｌ cafe\u0301 … a\u00a0b', [1399, 423, 11949, 3, 233, 3, 9, 3, 115, 1]],
  ['e\u0323\u0302 \u001ccat\u200b\ufeff', [3, 2, 1712, 1]],
];

describe.each(['tokenizer.json', 'spiece.model'])('a tokenizer from %s', (file) => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    const content =
      file === 'spiece.model' ? spieceModel(model) : JSON.stringify(tokenizerJson(model));
    tokenizer = await load({ [file]: content });
  });

  test.each(vectors)('reads %j as T5 does', (text, ids) => {
    expect(tokenizer.encode(text, 300)).toEqual({ ids, truncated: false, tokens: ids.length });
  });

  test('cuts a long text, and still ends with the end token', () => {
    expect(tokenizer.encode('cute cat cute', 3)).toEqual({
      ids: [5295, 1712, 1],
      truncated: true,
      tokens: 4,
    });
    expect(tokenizer.encode('cute cat', 3).truncated).toBe(false);
  });

  test('knows its pieces and 100 sentinels', () => {
    expect(tokenizer.vocabularySize).toBe(32_100);
  });
});

// U+FDFA stands for 18 characters in 4 words, of which no piece has one: "▁" and unknown for each.
test('8,000 of the letter that stands for most others are read at once', async () => {
  const embedded = fileURLToPath(new URL('../../models/easel-mini/tokenizer', import.meta.url));
  const tokenizer = await loadTokenizer(embedded);
  const started = performance.now();
  const { ids, tokens } = tokenizer.encode('\ufdfa'.repeat(8000), 300);
  expect(ids.slice(0, 4)).toEqual([3, 2, 3, 2]);
  expect(tokens).toBe(2 * (3 * 8000 + 1) + 1);
  expect(performance.now() - started).toBeLessThan(2000);
});

test('a map that makes very much of a prompt is refused when it does', async () => {
  // Darts: the root's unit leads to 1; "a" is 1 ^ 0x61, a leaf whose value is at 0x60 ^ 1.
  const units = new Uint32Array(0x100);
  units[0] = 1 << 10;
  units[1 ^ 0x61] = (1 << 10) | (1 << 8) | 0x61;
  units[1 ^ 0x61 ^ 1] = 0x80000000;
  const trie = Buffer.from(units.buffer);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(trie.length);
  const charsmap = Buffer.concat([size, trie, Buffer.alloc(64, 'b'), Buffer.of(0)]);
  const tokenizer = await load({
    'tokenizer.json': JSON.stringify(tokenizerJson({ ...model, charsmap })),
  });
  expect(tokenizer.encode('a', 300).tokens).toBeGreaterThan(2);
  expect(() => tokenizer.encode('a'.repeat(8000), 300)).toThrow(
    /at most 200000 characters of a prompt, but got 512000/,
  );
});

describe('a tokenizer folder', () => {
  test('may configure the number of sentinels', async () => {
    const tokenizer = await load({
      'spiece.model': spieceModel(model),
      'tokenizer_config.json': '{"extra_ids": 0}',
    });
    expect(tokenizer.vocabularySize).toBe(32_000);
  });

  test('that is damaged is refused, with the name of the file', async () => {
    const whole = spieceModel(model);
    const json = tokenizerJson(model);
    const changed = (part: object) => JSON.stringify({ ...json, ...part });
    const brokenMap = { type: 'Precompiled', precompiled_charsmap: 'AAAA' };
    /** A map with an empty trie, and these replacements. */
    const mapOf = (replacements: Buffer) => {
      const ended =
        replacements.length > 1 ? Buffer.concat([replacements, Buffer.of(0)]) : replacements;
      const map = Buffer.concat([Buffer.of(4, 0, 0, 0, 0, 0, 0, 0), ended]);
      return { type: 'Precompiled', precompiled_charsmap: map.toString('base64') };
    };
    const manyTokens = Array.from({ length: 50_000 }, (_, id) => ({
      id,
      content: `${id}`.padEnd(64),
    }));
    const folders: [Record<string, string | Buffer>, string | RegExp][] = [
      [{}, 'no tokenizer.json or spiece.model'],
      [
        { 'spiece.model': whole.subarray(0, whole.length - 7) },
        /spiece\.model: .*index out of range/,
      ],
      [{ 'spiece.model': Buffer.alloc(0) }, /spiece\.model: it is an empty file/],
      [{ 'spiece.model': Buffer.from('<html>not found</html>') }, 'spiece.model'],
      [{ 'spiece.model': whole, 'tokenizer_config.json': '{"extra_ids": -1}' }, 'extra_ids'],
      // Two bytes in the file, and hundreds in memory.
      [
        { 'spiece.model': Buffer.alloc(2_000_000, Buffer.of(10, 0)) },
        /got 1000000 pieces, more than/,
      ],
      [{ 'spiece.model': Buffer.alloc(25 * 2 ** 20) }, /at most 25165824 bytes, but got 26214400/],
      [{ 'tokenizer.json': '{"model": ' }, 'tokenizer.json'],
      [
        {
          'tokenizer.json': changed({
            model: { ...json.model, vocab: new Array(500_000).fill(0) },
          }),
        },
        /model\.vocab: .*400000/,
      ],
      [
        {
          'tokenizer.json': changed({
            model: { ...json.model, vocab: new Array(399_999).fill(0) },
          }),
        },
        /model\.vocab\.0: /,
      ],
      [{ 'tokenizer.json': changed({ model: { type: 'BPE' } }) }, /model\.type.*Unigram/],
      [{ 'tokenizer.json': changed({ normalizer: brokenMap }) }, 'character map'],
      [
        { 'tokenizer.json': changed({ normalizer: mapOf(Buffer.alloc(2 ** 20, 'a')) }) },
        /entries of at most 64 bytes, but got 1048576/,
      ],
      [{ 'tokenizer.json': changed({ normalizer: mapOf(Buffer.from('a')) }) }, 'entries end'],
      [
        { 'tokenizer.json': changed({ added_tokens: [{ id: 0, content: 'a'.repeat(2 ** 20) }] }) },
        /pieces of at most 64 characters, but got 1048576/,
      ],
      [
        { 'tokenizer.json': changed({ added_tokens: manyTokens }) },
        /at most 3000000 characters in all pieces, but got/,
      ],
      [
        { 'tokenizer.json': changed({ model: { ...json.model, vocab: [['a', 0]], unk_id: 0 } }) },
        '</s>',
      ],
    ];
    for (const [files, sentence] of folders) {
      const refusal = await load(files).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(DomainError);
      expect(refusal).toMatchObject({ code: 'MODEL_UNAVAILABLE' });
      expect(String(refusal)).toMatch(sentence);
    }
  });
});
