import type { z } from 'zod';
import {
  describeContent,
  FileDamaged,
  type FileStamp,
  FileUnreadable,
  readSmallFile,
} from '../onnx/file.ts';
import { parseJson } from '../onnx/json.ts';
import { folderLimits } from '../onnx/limits.ts';

/** UTF-8 without its byte order mark. @throws FileUnreadable, FileDamaged */
export async function readText(
  file: string,
  { maxBytes = folderLimits.configBytes }: { maxBytes?: number } = {},
): Promise<{ text: string; stamp: FileStamp }> {
  const { bytes, stamp } = await readSmallFile(file, maxBytes);
  const content = describeContent(bytes);
  if (content !== null) throw new FileUnreadable(file, `it is ${content}`);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), stamp };
  } catch (cause) {
    throw new FileDamaged(file, 'Expected UTF-8, but got other bytes', { cause });
  }
}

/** @throws FileUnreadable, FileDamaged listing every field that is wrong */
export async function readJson<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  { maxBytes = folderLimits.configBytes }: { maxBytes?: number } = {},
): Promise<{ value: z.output<Schema>; stamp: FileStamp }> {
  const { text, stamp } = await readText(file, { maxBytes });
  let parsed: unknown;
  try {
    parsed = parseJson(/NaN|Infinity/.test(text) ? withoutNaN(text) : text);
  } catch (cause) {
    throw new FileDamaged(
      file,
      `Expected JSON, but got malformed text (${(cause as Error).message})`,
      {
        cause,
      },
    );
  }
  const result = schema.safeParse(parsed);
  if (result.success) return { value: result.data, stamp };
  const problems = result.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'the whole'}: ${inOurWords(message)}`);
  throw new FileDamaged(file, `Expected a usable configuration, but got ${problems.join('; ')}`);
}

/** zod's own sentences, for people who do not know it. */
function inOurWords(message: string): string {
  return message
    .replace(
      /^Too (small|big): expected \w+ to (be|have) ([<>]=?)\s?(.*)$/,
      (_all, _side, verb, sign, limit) => {
        const words = sign.startsWith('>') ? 'at least' : 'at most';
        return `expected ${verb === 'have' ? 'a length of ' : ''}${sign.length === 1 ? `${sign} ` : `${words} `}${limit}`;
      },
    )
    .replace(/^Invalid (?:input|option): /, '')
    .replace(/received undefined$/, 'it is missing')
    .replace(/received /, 'but it is ');
}

/**
 * Python writes `-Infinity` and `NaN` bare, which JSON forbids: outside strings they are read as
 * null (no released field that is used here holds one).
 */
function withoutNaN(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/gs, (token) =>
    token.startsWith('"') ? token : 'null',
  );
}
