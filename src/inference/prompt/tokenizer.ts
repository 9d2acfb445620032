import { join } from 'node:path';
import { z } from 'zod';
import { DomainError } from '../../errors.ts';
import { identityOf, versionsOf } from '../checkpoints/checkpoint.ts';
import { describeContent, type FileStamp, FileUnreadable, readSmallFile } from '../onnx/file.ts';
import { parseJson } from '../onnx/json.ts';
import { folderLimits } from '../onnx/limits.ts';
import { createCharsmap } from './charsmap.ts';
import { readSentencePiece, type UnigramModel } from './sentencepiece.ts';
import { createTrie } from './trie.ts';
import { createUnigram } from './unigram.ts';

export class TokenizerDamaged extends DomainError {
  constructor(file: string, reason: string, options?: ErrorOptions) {
    super('MODEL_UNAVAILABLE', `Expected a readable tokenizer in ${file}: ${reason}`, {}, options);
  }
}

export type Tokenizer = {
  /**
   * @param maxTokens at most so many ids come back; the last one is always the end token.
   * @returns ids without padding, and how many tokens the whole text has, its end included.
   */
  encode(text: string, maxTokens: number): { ids: number[]; truncated: boolean; tokens: number };
  /** What an id stands for, with spaces as such; empty for the end, the unknown and other special tokens. */
  textOf(id: number): string;
  /** One more than the largest id that `encode` gives. */
  readonly vocabularySize: number;
  /** Of the files that it was read from. */
  readonly identity: string;
};

const endToken = '</s>';

/**
 * A model's `tokenizer/` folder: T5's unigram SentencePiece model, from `tokenizer.json` or, as the
 * official releases have it, from `spiece.model`. Both become the same object, as transformers does
 * it for T5: the character map, then words with "▁" in front. Special tokens written in the text
 * (`</s>`, `<pad>`, `<extra_id_0>`) are read as such.
 *
 * The character map is SentencePiece's own (longest entry first), which the model was trained with;
 * transformers' Rust tokenizers differ on letters with two combining marks and on U+0085.
 * @throws TokenizerDamaged, FileUnreadable, FileDamaged
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const jsonFile = join(folder, 'tokenizer.json');
  const json = await readIfThere(jsonFile);
  if (json !== null) {
    return createTokenizer(jsonFile, [json.stamp], () => readTokenizerJson(textOf(json.bytes)));
  }
  const pieceFile = join(folder, 'spiece.model');
  const pieces = await readIfThere(pieceFile);
  if (pieces === null) {
    throw new TokenizerDamaged(folder, 'it has no tokenizer.json or spiece.model');
  }
  const configFile = join(folder, 'tokenizer_config.json');
  const config = await readIfThere(configFile);
  const sentinels = readPart(configFile, () => sentinelCount(config && textOf(config.bytes)));
  const stamps = [pieces.stamp, ...(config === null ? [] : [config.stamp])];
  return createTokenizer(pieceFile, stamps, () =>
    withSentinels(readSentencePiece(pieces.bytes), sentinels),
  );
}

async function readIfThere(file: string): Promise<{ bytes: Buffer; stamp: FileStamp } | null> {
  try {
    const read = await readSmallFile(file, folderLimits.tokenizerBytes);
    const content = describeContent(read.bytes);
    if (content !== null) throw new TokenizerDamaged(file, `it is ${content}`);
    return read;
  } catch (error) {
    if (error instanceof FileUnreadable && error.isMissing) return null;
    throw error;
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function createTokenizer(
  file: string,
  stamps: readonly FileStamp[],
  read: () => UnigramModel,
): Tokenizer {
  const identity = identityOf(versionsOf(stamps));
  return { ...readPart(file, () => tokenizerOf(read())), identity };
}

function readPart<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? describe(cause) : (cause as Error).message;
    throw new TokenizerDamaged(file, reason, { cause });
  }
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue ? `${issue.path.join('.') || 'the file'}: ${issue.message}` : error.message;
}

/** A list of bounded length, read up to the first fault: all of a million would fill the memory. */
function listOf<Schema extends z.ZodType>(schema: Schema) {
  return z
    .array(z.unknown())
    .max(folderLimits.pieces)
    .transform((items, context) => {
      const values: z.output<Schema>[] = [];
      for (const [index, item] of items.entries()) {
        const parsed = schema.safeParse(item);
        if (!parsed.success) {
          const { path, message } = parsed.error.issues[0]!;
          context.addIssue({ code: 'custom', path: [index, ...path], message });
          return z.NEVER;
        }
        values.push(parsed.data);
      }
      return values;
    });
}

const jsonShape = z.object({
  added_tokens: listOf(
    z.object({ id: z.number().int().nonnegative(), content: z.string().min(1) }),
  ),
  normalizer: z.unknown(),
  model: z.object({
    type: z.literal('Unigram'),
    unk_id: z.number().int().nonnegative(),
    vocab: listOf(z.tuple([z.string(), z.number()])),
  }),
});

/** Of T5, transformers takes vocabulary, tokens and character map from this file, and no more. */
function readTokenizerJson(text: string): UnigramModel {
  const { added_tokens: addedTokens, normalizer, model } = jsonShape.parse(parseJson(text));
  return {
    pieces: model.vocab,
    unknownId: model.unk_id,
    addedTokens,
    charsmap: findCharsmap(normalizer),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
  };
}

const precompiledShape = z.object({
  type: z.literal('Precompiled'),
  precompiled_charsmap: z.base64().nullable(),
});
const sequenceShape = z.object({ type: z.literal('Sequence'), normalizers: z.array(z.unknown()) });

function findCharsmap(normalizer: unknown): Uint8Array {
  const sequence = sequenceShape.safeParse(normalizer);
  for (const part of sequence.success ? sequence.data.normalizers : [normalizer]) {
    const precompiled = precompiledShape.safeParse(part);
    if (precompiled.success) {
      return Buffer.from(precompiled.data.precompiled_charsmap ?? '', 'base64');
    }
  }
  return new Uint8Array();
}

function sentinelCount(config: string | null): number {
  const shape = z.object({ extra_ids: z.number().int().nonnegative().max(10_000).default(100) });
  return shape.parse(config === null ? {} : parseJson(config)).extra_ids;
}

/** T5's sentinels follow the pieces, last one first: `<extra_id_99>` is 32000, `<extra_id_0>` 32099. */
function withSentinels(model: UnigramModel, count: number): UnigramModel {
  if (model.pieces.some(([piece]) => piece === '<extra_id_0>')) return model;
  const first = model.pieces.length;
  const sentinels = Array.from({ length: count }, (_, i) => ({
    id: first + i,
    content: `<extra_id_${count - 1 - i}>`,
  }));
  return {
    ...model,
    pieces: [...model.pieces, ...sentinels.map(({ content }) => [content, 0] as const)],
    addedTokens: [...model.addedTokens, ...sentinels],
  };
}

function tokenizerOf(model: UnigramModel): Omit<Tokenizer, 'identity'> {
  const { pieces, unknownId, addedTokens } = model;
  const endId = pieces.findIndex(([piece]) => piece === endToken);
  if (endId < 0) throw new RangeError(`expected the token ${endToken}, but it has none`);
  const unknown = pieces[unknownId];
  if (unknown === undefined) {
    throw new RangeError(`expected an unknown id below ${pieces.length}, but got ${unknownId}`);
  }
  checkLengths([...pieces.map(([piece]) => piece), ...addedTokens.map(({ content }) => content)]);
  const split = createSplitter([...addedTokens, { id: unknownId, content: unknown[0] }]);
  const normalize = createNormalizer(model);
  const encodePieces = createUnigram(pieces, unknownId);
  const vocabularySize = addedTokens.reduce(
    (size, { id }) => Math.max(size, id + 1),
    pieces.length,
  );

  function idsOf(section: string | number): readonly number[] {
    if (typeof section === 'number') return [section];
    const text = section.replaceAll(' ', '▁');
    if (text === '') return [];
    return encodePieces(model.addDummyPrefix && !text.startsWith('▁') ? `▁${text}` : text);
  }

  const special = new Set([unknownId, endId, ...addedTokens.map(({ id }) => id)]);

  return {
    vocabularySize,
    textOf: (id) => (special.has(id) ? '' : (pieces[id]?.[0] ?? '').replaceAll('▁', ' ')),
    encode(text, maxTokens) {
      const sections = split(text).map((one) => (typeof one === 'number' ? one : normalize(one)));
      checkNormalized(sections);
      const ids = sections.flatMap(idsOf);
      const kept = ids.slice(0, maxTokens - 1);
      return {
        ids: [...kept, endId],
        truncated: kept.length < ids.length,
        tokens: ids.length + 1,
      };
    },
  };
}

/** @throws RangeError where texts would be compared for too long, or take too much memory */
function checkLengths(texts: readonly string[]): void {
  const { pieceLength, vocabularyLength } = folderLimits;
  const longest = texts.reduce((most, { length }) => Math.max(most, length), 0);
  const all = texts.reduce((sum, { length }) => sum + length, 0);
  if (longest > pieceLength) {
    throw new RangeError(
      `expected pieces of at most ${pieceLength} characters, but got ${longest}`,
    );
  }
  if (all > vocabularyLength) {
    throw new RangeError(
      `expected at most ${vocabularyLength} characters in all pieces, but got ${all}`,
    );
  }
}

/** @throws DomainError `MODEL_UNAVAILABLE`: the map is not of a kind that models have. */
function checkNormalized(sections: readonly (string | number)[]): void {
  const { normalizedLength: max } = folderLimits;
  const length = sections.reduce<number>(
    (sum, one) => sum + (typeof one === 'number' ? 1 : one.length),
    0,
  );
  if (length <= max) return;
  throw new DomainError(
    'MODEL_UNAVAILABLE',
    `Expected a character map that makes at most ${max} characters of a prompt, but got ${length}`,
  );
}

/** Cuts a text at the special tokens that are written in it: texts, and ids for those; the longest first. */
function createSplitter(
  tokens: UnigramModel['addedTokens'],
): (text: string) => (string | number)[] {
  const trie = createTrie(
    tokens.flatMap(({ id, content }) => (content === '' ? [] : [[content, id]])),
  );
  return (text) => {
    const sections: (string | number)[] = [];
    let begun = 0;
    for (let at = 0; at < text.length; ) {
      let found: { id: number; end: number } | undefined;
      trie.prefixes(text, at, (id, end) => {
        found = { id, end };
      });
      if (found === undefined) {
        at++;
        continue;
      }
      if (at > begun) sections.push(text.slice(begun, at));
      sections.push(found.id);
      at = found.end;
      begun = at;
    }
    if (begun < text.length) sections.push(text.slice(begun));
    return sections;
  };
}

function createNormalizer(model: UnigramModel): (text: string) => string {
  const map = createCharsmap(model.charsmap);
  if (!model.removeExtraWhitespaces) return map;
  return (text) => map(text).replace(/ +/g, ' ').replace(/^ | $/g, '');
}
