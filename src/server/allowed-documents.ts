import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { DomainError, StartError } from '../errors.ts';
import { systemFault, systemReason } from '../system-error.ts';

/** The documents that clients may send, where they are limited to those that their builds have written down. */
export type AllowedDocuments = {
  /** @throws DomainError FORBIDDEN */
  check(document: string): void;
  /** Finds them for clients that send the hash alone (automatic persisted queries); nothing is added. */
  readonly cache: {
    get(key: string): Promise<string | undefined>;
    set(): Promise<void>;
    delete(): Promise<boolean>;
  };
};

/** SHA-256 of each document to its text, as graphql-codegen's client preset and Relay's compiler write it. */
const fileShape = z.record(z.string().regex(/^[0-9a-f]{64}$/), z.string());

/** Apollo Server puts this before the hash. */
const prefix = 'apq:';

/** @throws StartError where the file cannot be used */
export function readAllowedDocuments(path: string): AllowedDocuments {
  const documents = new Map(Object.entries(readFile(path)));
  for (const [hash, document] of documents) {
    if (sha256(document) === hash) continue;
    throw notUsable(path, `${hash} is not the SHA-256 of its document`);
  }
  return {
    check(document) {
      if (documents.has(sha256(document))) return;
      throw new DomainError('FORBIDDEN', 'Expected a document of the list that this server allows');
    },
    cache: {
      get: async (key) => documents.get(key.slice(prefix.length)),
      set: async () => {},
      delete: async () => false,
    },
  };
}

function readFile(path: string): Record<string, string> {
  try {
    const parsed = fileShape.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (systemFault(error) !== null) throw notUsable(path, systemReason(error));
  }
  throw notUsable(path, 'it is something else');
}

function notUsable(path: string, why: string): StartError {
  return new StartError(
    `Expected ALLOWED_DOCUMENTS to name a JSON file of documents by their SHA-256, but of ${path} ${why}`,
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
