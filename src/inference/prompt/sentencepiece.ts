/** A `spiece.model` that cannot be read; `tokenizer.ts` says which file it was. */
export class SentencePieceDamaged extends Error {
  override readonly name = 'SentencePieceDamaged';
}

/** What a unigram SentencePiece model says, whichever file it came from. The id is the index. */
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

/**
 * Reads a `ModelProto` (sentencepiece_model.proto): pieces (1), trainer spec (2), normalizer spec (3).
 * @throws SentencePieceDamaged
 */
export function readSentencePiece(bytes: Uint8Array): UnigramModel {
  const pieces: [string, number][] = [];
  const addedTokens: { id: number; content: string }[] = [];
  let modelType = 1;
  let unknownId: number | undefined;
  let charsmap: Uint8Array = new Uint8Array();
  let addDummyPrefix = true;
  let removeExtraWhitespaces = true;

  for (const field of fields(bytes)) {
    if (field.number === 1) {
      const id = pieces.length;
      const { content, score, type } = readPiece(message(field));
      pieces.push([content, score]);
      if (type === pieceType.unknown) unknownId ??= id;
      else if (type === pieceType.control || type === pieceType.userDefined) {
        addedTokens.push({ id, content });
      } else if (type !== pieceType.normal) {
        throw new SentencePieceDamaged(
          `Expected pieces without byte fallback, but got ${content} of type ${type}`,
        );
      }
    } else if (field.number === 2) {
      for (const inner of fields(message(field))) {
        if (inner.number === 3) modelType = integer(inner);
      }
    } else if (field.number === 3) {
      for (const inner of fields(message(field))) {
        if (inner.number === 2) charsmap = message(inner);
        if (inner.number === 3) addDummyPrefix = integer(inner) !== 0;
        if (inner.number === 4) removeExtraWhitespaces = integer(inner) !== 0;
      }
    }
  }
  if (modelType !== 1) {
    throw new SentencePieceDamaged(`Expected a unigram model (1), but got type ${modelType}`);
  }
  if (unknownId === undefined) {
    throw new SentencePieceDamaged(
      `Expected an unknown piece among the pieces, but got ${pieces.length} without one`,
    );
  }
  return { pieces, unknownId, addedTokens, charsmap, addDummyPrefix, removeExtraWhitespaces };
}

function readPiece(bytes: Uint8Array) {
  let content = '';
  let score = 0;
  let type: number = pieceType.normal;
  for (const field of fields(bytes)) {
    if (field.number === 1) content = new TextDecoder().decode(message(field));
    if (field.number === 2) score = float(field);
    if (field.number === 3) type = integer(field);
  }
  return { content, score, type };
}

type Field = { readonly number: number; readonly value: number | Uint8Array };

/**
 * The fields of one protobuf message: varints as numbers (a negative one, ten bytes long, plus 2^64),
 * everything else as its bytes.
 */
function* fields(bytes: Uint8Array): Generator<Field> {
  let position = 0;

  function varint(): number {
    let value = 0;
    for (let scale = 1; position < bytes.length && scale <= 2 ** 63; scale *= 128) {
      const byte = bytes[position++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new SentencePieceDamaged(`Expected a number at byte ${position}, but got the end`);
  }

  while (position < bytes.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    if (key % 8 === 0) {
      yield { number, value: varint() };
      continue;
    }
    const length = { 1: 8, 2: -1, 5: 4 }[key % 8];
    if (length === undefined || number === 0) {
      throw new SentencePieceDamaged(
        `Expected a protobuf field at byte ${position}, but got ${key}`,
      );
    }
    const size = length < 0 ? varint() : length;
    if (position + size > bytes.length) {
      throw new SentencePieceDamaged(
        `Expected ${size} bytes from byte ${position} on, but got ${bytes.length - position}`,
      );
    }
    yield { number, value: bytes.subarray(position, position + size) };
    position += size;
  }
}

function message({ number, value }: Field): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new SentencePieceDamaged(`Expected bytes in field ${number}, but got a number`);
}

function integer({ number, value }: Field): number {
  if (typeof value === 'number') return value;
  throw new SentencePieceDamaged(`Expected a number in field ${number}, but got bytes`);
}

function float(field: Field): number {
  const bytes = message(field);
  if (bytes.length !== 4) {
    throw new SentencePieceDamaged(
      `Expected a float in field ${field.number}, but got ${bytes.length} bytes`,
    );
  }
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}
