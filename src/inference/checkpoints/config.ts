import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { DomainError } from '../../errors.ts';

/** A network's `config.json` is missing, malformed, or describes what is not built here. */
export class UnusableConfig extends DomainError {
  constructor(file: string, problem: string, options?: ErrorOptions) {
    super('MODEL_UNAVAILABLE', `${problem} in ${file}`, { got: file }, options);
  }
}

/** @throws UnusableConfig listing every field that is wrong */
export async function readConfig<Schema extends z.ZodType>(
  folder: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const file = join(folder, 'config.json');
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new UnusableConfig(file, 'Expected a readable JSON object, but got none', { cause });
  }
  const result = schema.safeParse(parsed);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new UnusableConfig(file, `Expected a usable configuration, but got ${problems.join('; ')}`);
}
