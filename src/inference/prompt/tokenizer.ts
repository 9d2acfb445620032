import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { z } from 'zod';
import { DomainError } from '../../errors.ts';
import { createCharsmap } from './charsmap.ts';
import { readSentencePiece, type UnigramModel } from './sentencepiece.ts';

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
  /** One more than the largest id that `encode` gives. */
  readonly vocabularySize: number;
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
 * @throws TokenizerDamaged
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const jsonFile = join(folder, 'tokenizer.json');
  const json = await readIfThere(jsonFile);
  if (json) return readModel(jsonFile, () => readTokenizerJson(json.toString('utf8')));

  const pieceFile = join(folder, 'spiece.model');
  const pieces = await readIfThere(pieceFile);
  if (!pieces) throw new TokenizerDamaged(folder, 'it has no tokenizer.json or spiece.model');
  const configFile = join(folder, 'tokenizer_config.json');
  const config = await readIfThere(configFile);
  const sentinels = readModelPart(configFile, () => sentinelCount(config?.toString('utf8')));
  return readModel(pieceFile, () => withSentinels(readSentencePiece(pieces), sentinels));
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new TokenizerDamaged(file, 'it cannot be opened', { cause });
  }
}

function readModel(file: string, read: () => UnigramModel): Tokenizer {
  return readModelPart(file, () => createTokenizer(read()));
}

function readModelPart<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? describe(cause) : String(cause);
    throw new TokenizerDamaged(file, reason, { cause });
  }
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue ? `${issue.path.join('.') || 'the file'}: ${issue.message}` : error.message;
}

const jsonShape = z.object({
  added_tokens: z.array(
    z.object({ id: z.number().int().nonnegative(), content: z.string().min(1) }),
  ),
  normalizer: z.unknown(),
  model: z.object({
    type: z.literal('Unigram'),
    unk_id: z.number().int().nonnegative(),
    vocab: z.array(z.tuple([z.string(), z.number()])).min(1),
  }),
});

/** Of T5, transformers takes vocabulary, tokens and character map from this file, and no more. */
function readTokenizerJson(text: string): UnigramModel {
  const { added_tokens: addedTokens, normalizer, model } = jsonShape.parse(JSON.parse(text));
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

function sentinelCount(config: string | undefined): number {
  const shape = z.object({ extra_ids: z.number().int().nonnegative().max(10_000).default(100) });
  return shape.parse(config === undefined ? {} : JSON.parse(config)).extra_ids;
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

/** What is used of the library, whose own types Node's module resolution does not find. */
type PieceLibrary = {
  normalizer: ((text: string) => string) | null;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
};

function createTokenizer(model: UnigramModel): Tokenizer {
  const { pieces, unknownId, addedTokens } = model;
  const endId = pieces.findIndex(([piece]) => piece === endToken);
  if (endId < 0) throw new RangeError(`expected the token ${endToken}, but it has none`);
  if (unknownId >= pieces.length) {
    throw new RangeError(`expected an unknown id below ${pieces.length}, but got ${unknownId}`);
  }
  const unknown = { id: unknownId, content: pieces[unknownId]![0] };
  const library: PieceLibrary = new Library(
    {
      added_tokens: [...addedTokens, unknown].map((token) => ({
        ...token,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: {
        type: 'Metaspace',
        replacement: '▁',
        prepend_scheme: model.addDummyPrefix ? 'always' : 'never',
      },
      // The library writes into the vocabulary.
      model: { type: 'Unigram', unk_id: unknownId, vocab: [...pieces], byte_fallback: false },
      post_processor: null,
      decoder: null,
    },
    {},
  );
  // The library's own `Precompiled` is NFKC with exceptions, not the map in the file.
  library.normalizer = createNormalizer(model);
  const vocabularySize = addedTokens.reduce(
    (size, { id }) => Math.max(size, id + 1),
    pieces.length,
  );

  return {
    vocabularySize,
    encode(text, maxTokens) {
      const { ids } = library.encode(text, { add_special_tokens: false });
      const kept = ids.slice(0, maxTokens - 1);
      return {
        ids: [...kept, endId],
        truncated: kept.length < ids.length,
        tokens: ids.length + 1,
      };
    },
  };
}

function createNormalizer(model: UnigramModel): (text: string) => string {
  const map = createCharsmap(model.charsmap);
  if (!model.removeExtraWhitespaces) return map;
  return (text) => map(text).replace(/ +/g, ' ').replace(/^ | $/g, '');
}
