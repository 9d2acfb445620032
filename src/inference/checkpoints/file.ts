import { readFile, stat } from 'node:fs/promises';
import type { z } from 'zod';
import { DomainError } from '../../errors.ts';

/** A model folder that cannot be used as it is. The message names files relative to it. */
export class ModelFolderDamaged extends DomainError {
  constructor(problem: string, options?: ErrorOptions) {
    super('MODEL_UNAVAILABLE', problem, {}, options);
  }
}

export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ModelFolderDamaged(`Expected a readable file ${path}, but got none`, { cause });
  }
}

/** Undefined where there is no such file. */
export async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  return (await isFile(path)) ? needJson(path, schema) : undefined;
}

export async function needJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ModelFolderDamaged(`Expected JSON in ${path}, but got malformed text`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path: field, message } = parsed.error.issues[0]!;
  throw new ModelFolderDamaged(
    `Expected a usable ${field.join('.') || 'object'} in ${path}, but got: ${message}`,
  );
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
