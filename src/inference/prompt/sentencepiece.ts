import protobuf from 'protobufjs/light.js';
import { z } from 'zod';
import { folderLimits } from '../onnx/limits.ts';

/** A `spiece.model` that cannot be read; `tokenizer.ts` adds the file's name. */
export class SentencePieceDamaged extends Error {
  override readonly name = 'SentencePieceDamaged';
}

/** A unigram SentencePiece model, from whichever file. The id of a piece is its index. */
export type UnigramModel = {
  readonly pieces: readonly (readonly [piece: string, score: number])[];
  readonly unknownId: number;
  /** Recognised in the text as they are: control and user-defined pieces. */
  readonly addedTokens: readonly { readonly id: number; readonly content: string }[];
  readonly charsmap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
};

/** `SentencePiece.Type` in sentencepiece_model.proto. */
const pieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4 } as const;

/** Of `ModelProto`. */
const piecesField = 1;

/** The fields of sentencepiece_model.proto that are used; others are passed over. */
const modelProto = protobuf.Root.fromJSON({
  nested: {
    Piece: {
      fields: {
        piece: { id: 1, type: 'string' },
        score: { id: 2, type: 'float' },
        type: { id: 3, type: 'int32', options: { default: pieceType.normal } },
      },
    },
    TrainerSpec: {
      fields: { modelType: { id: 3, type: 'int32', options: { default: 1 } } },
    },
    NormalizerSpec: {
      fields: {
        precompiledCharsmap: { id: 2, type: 'bytes' },
        addDummyPrefix: { id: 3, type: 'bool', options: { default: true } },
        removeExtraWhitespaces: { id: 4, type: 'bool', options: { default: true } },
      },
    },
    ModelProto: {
      fields: {
        pieces: { id: piecesField, rule: 'repeated', type: 'Piece' },
        trainerSpec: { id: 2, type: 'TrainerSpec' },
        normalizerSpec: { id: 3, type: 'NormalizerSpec' },
      },
    },
  },
}).lookupType('ModelProto');

const modelSchema = z.object({
  pieces: z.array(z.object({ piece: z.string(), score: z.number(), type: z.number() })),
  trainerSpec: z.object({ modelType: z.number() }).nullable(),
  normalizerSpec: z
    .object({
      precompiledCharsmap: z.instanceof(Uint8Array),
      addDummyPrefix: z.boolean(),
      removeExtraWhitespaces: z.boolean(),
    })
    .nullable(),
});

/** @throws SentencePieceDamaged */
export function readSentencePiece(bytes: Uint8Array): UnigramModel {
  const { pieces, trainerSpec, normalizerSpec } = decode(bytes);
  const modelType = trainerSpec?.modelType ?? 1;
  if (modelType !== 1) {
    throw new SentencePieceDamaged(`Expected a unigram model (1), but got type ${modelType}`);
  }
  const other = pieces.find(({ type }) => !Object.values<number>(pieceType).includes(type));
  if (other !== undefined) {
    throw new SentencePieceDamaged(
      `Expected pieces without byte fallback, but got ${other.piece} of type ${other.type}`,
    );
  }
  const unknownId = pieces.findIndex(({ type }) => type === pieceType.unknown);
  if (unknownId < 0) {
    throw new SentencePieceDamaged(
      `Expected an unknown piece among the pieces, but got ${pieces.length} without one`,
    );
  }
  return {
    pieces: pieces.map(({ piece, score }) => [piece, score] as const),
    unknownId,
    addedTokens: pieces.flatMap(({ piece, type }, id) =>
      type === pieceType.control || type === pieceType.userDefined ? [{ id, content: piece }] : [],
    ),
    charsmap: normalizerSpec?.precompiledCharsmap ?? new Uint8Array(),
    addDummyPrefix: normalizerSpec?.addDummyPrefix ?? true,
    removeExtraWhitespaces: normalizerSpec?.removeExtraWhitespaces ?? true,
  };
}

/** Before they are decoded: an empty one takes two bytes in the file, and hundreds in memory. */
function countPieces(bytes: Uint8Array): number {
  const reader = protobuf.Reader.create(bytes);
  let count = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === piecesField) count++;
    reader.skipType(tag & 7);
  }
  return count;
}

function decode(bytes: Uint8Array): z.output<typeof modelSchema> {
  try {
    const count = countPieces(bytes);
    if (count > folderLimits.pieces) {
      throw new RangeError(`${count} pieces, more than ${folderLimits.pieces}`);
    }
    const message = modelProto.decode(bytes);
    return modelSchema.parse(modelProto.toObject(message, { arrays: true, defaults: true }));
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new SentencePieceDamaged(`Expected a SentencePiece model, but got ${problem}`, { cause });
  }
}
