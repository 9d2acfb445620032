import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { weighted } from '../../src/inference/pipelines/embeddings.ts';
import { createPromptReader } from '../../src/inference/prompt/prompt-reader.ts';
import { loadTokenizer } from '../../src/inference/prompt/tokenizer.ts';
import { parseWeights } from '../../src/inference/prompt/weighting.ts';
import type { ImageRequest } from '../../src/inference/request.ts';
import { draw } from '../support/draw.ts';
import { randomEngine } from '../support/random-engine.ts';

/** The examples that the AUTOMATIC1111 web UI documents, in `modules/prompt_parser.py`, `parse_prompt_attention`. */
const documented: [string, [string, number][]][] = [
  ['normal text', [['normal text', 1]]],
  [
    'an (important) word',
    [
      ['an ', 1],
      ['important', 1.1],
      [' word', 1],
    ],
  ],
  ['(unbalanced', [['unbalanced', 1.1]]],
  ['\\(literal\\]', [['(literal]', 1]]],
  ['(unnecessary)(parens)', [['unnecessaryparens', 1.1]]],
  [
    'a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).',
    [
      ...[
        ['a ', 1],
        ['house', 1.573],
        [' ', 1.1],
        ['on', 1],
        [' a ', 1.1],
      ],
      ...[
        ['hill', 0.55],
        [', sun, ', 1.1],
        ['sky', 1.4641],
        ['.', 1.1],
      ],
    ] as [string, number][],
  ],
];

/** By its rules; `(a [b) c]` because it counts round and square brackets apart. */
const byItsRules: typeof documented = [
  ['', []],
  ['[dim]', [['dim', 1 / 1.1]]],
  [
    '(two [words])',
    [
      ['two ', 1.1],
      ['words', 1],
    ],
  ],
  ['(far: 1.5 )', [['far', 1.5]]],
  [
    '(gone:0) (less:-.5)',
    [
      ['gone', 0],
      [' ', 1],
      ['less', -0.5],
    ],
  ],
  ['closed) and]', [['closed) and]', 1]]],
  [
    'a:b (c:d) e:1.2)',
    [
      ['a:b ', 1],
      ['c:d', 1.1],
      [' e:1.2)', 1],
    ],
  ],
  ['(no number:1.2.3)', [['no number:1.2.3', 1.1]]],
  [
    '(a [b) c]',
    [
      ['a ', 1.1],
      ['b', 1],
      [' c', 1 / 1.1],
    ],
  ],
  ['back\\\\slash, lone\\x', [['back\\slash, lonex', 1]]],
];

describe('weights in a prompt', () => {
  it.each([...documented, ...byItsRules])('%s', (prompt, expected) => {
    const runs = parseWeights(prompt);
    expect(runs.map(({ text }) => text)).toEqual(expected.map(([text]) => text));
    for (const [i, { weight }] of runs.entries()) expect(weight).toBeCloseTo(expected[i]![1], 12);
  });

  it('are refused beyond 10', () => {
    for (const prompt of ['(much:11)', '(((((a:3):3):3)))', '('.repeat(100).concat('a')]) {
      expect(() => parseWeights(prompt)).toThrow(
        expect.objectContaining({
          code: 'BAD_USER_INPUT',
          details: expect.objectContaining({ path: ['prompt'] }),
        }),
      );
    }
  });

  it('are read in time that grows with the prompt', () => {
    const units = ['([', '(a', ')]', ':1', ':  ', '\\', '(a:1)', '[([a])'];
    for (const unit of units) {
      const prompt = unit.repeat(100_000 / unit.length);
      const start = performance.now();
      try {
        parseWeights(prompt);
      } catch (error) {
        expect(error).toMatchObject({ code: 'BAD_USER_INPUT' });
      }
      expect(performance.now() - start).toBeLessThan(1000);
    }
  });
});

describe('weights of tokens', async () => {
  const folder = fileURLToPath(new URL('../../models/easel-mini/tokenizer', import.meta.url));
  const tokenizer = await loadTokenizer(folder);
  const read = createPromptReader(tokenizer, 300);
  /** Each token with its weight. */
  const weightsIn = (prompt: string, isCleaned = true) => {
    const { ids, weights } = read(prompt, { isCleaned, isWeighted: true });
    return ids.map((id, i) => [tokenizer.textOf(id).trim(), weights?.[i]]);
  };

  it('are those of their text, also inside of a word, and the tokens those of the text', () => {
    const { ids } = read('a red balloon, a tree.', { isCleaned: true, isWeighted: false });
    const marked = read('a (red:1.3) balloon, a [tree].', { isCleaned: true, isWeighted: true });
    expect(marked.ids).toEqual(ids);
    const pieces = ids.map((id) => tokenizer.textOf(id).trim());
    const { weights } = marked;
    expect(weights).toHaveLength(ids.length);
    expect(weights?.[pieces.indexOf('red')]).toBe(1.3);
    expect(weights?.filter((weight) => weight === 1.3)).toHaveLength(1);
    expect(weights?.at(-1)).toBe(1);
    expect(weights?.[pieces.indexOf('.')]).toBe(1);
  });

  it('hold where normalisation takes text away', () => {
    const prompt = 'Ａ (RED:2) https://example.com/a/red/tree [balloon] @somebody (tree:3) ”';
    const found = new Map(weightsIn(prompt).map(([piece, weight]) => [piece, weight]));
    expect(found.get('red')).toBe(2);
    expect(found.get('balloon')).toBeCloseTo(1 / 1.1);
    expect(found.get('tree')).toBe(3);
    expect(found.get('a')).toBe(1);
  });

  it('are none where all are 1', () => {
    const how = { isCleaned: false, isWeighted: true };
    expect(read('a red (balloon:1)', how).weights).toBeNull();
    expect(read('', how).weights).toBeNull();
    expect(read('a red (balloon:1)', how).ids).toEqual(read('a red balloon', how).ids);
    const off = { isCleaned: false, isWeighted: false };
    expect(read('(red)', off).weights).toBeNull();
    expect(read('(red)', off).ids).not.toEqual(read('red', off).ids);
  });
});

it('an embedding is multiplied token by token, and keeps its mean size', () => {
  const embedding = { data: Float32Array.of(1, -2, 3, 4, -1, 1), tokens: 3 };
  const { data, tokens } = weighted(embedding, [1, 2, 0]);
  expect(tokens).toBe(3);
  // |values| add up to 12; multiplied (1, −2, 6, 8, 0, 0) to 17.
  const expected = [1, -2, 6, 8, 0, 0].map((x) => (x * 12) / 17);
  for (const [i, x] of data.entries()) expect(x).toBeCloseTo(expected[i]!, 6);
});

describe('an image', () => {
  const engine = randomEngine();
  const isSame = async (one: Partial<ImageRequest>, other: Partial<ImageRequest>) =>
    Buffer.compare((await draw(engine(), one)).rgb, (await draw(engine(), other)).rgb) === 0;

  it('depends on the weights where they are asked for, of either prompt', async () => {
    const promptWeighting = true;
    const prompt = 'a red boat';
    expect(await isSame({ prompt }, { prompt, promptWeighting })).toBe(true);
    expect(await isSame({ prompt }, { prompt: 'a (red:1) boat', promptWeighting })).toBe(true);
    expect(await isSame({ prompt }, { prompt: 'a (red:1.5) boat', promptWeighting })).toBe(false);
    const negative = { prompt, negativePrompt: 'a cat' };
    const weighted = { prompt, negativePrompt: 'a (cat:1.5)', promptWeighting };
    expect(await isSame(negative, weighted)).toBe(false);
  });

  it('is refused for a weight beyond the limits, and the next one is drawn', async () => {
    const beyond = draw(engine(), { prompt: '(boat:99)', promptWeighting: true });
    await expect(beyond).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    await draw(engine());
  });
});
