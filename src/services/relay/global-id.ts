import { clipped, DomainError, type Mismatch } from '../../errors.ts';

/** What `node` can find, by the names of their GraphQL types. */
export const nodeTypes = [
  'Project',
  'Generation',
  'Asset',
  'User',
  'Model',
  'ApiKey',
  'Preset',
] as const;
export type NodeType = (typeof nodeTypes)[number];

/** "Not yours" and "not there" are one answer. */
export class NotFound extends DomainError {
  constructor(what: string, globalId: string, path: readonly string[] = []) {
    const details = path.length === 0 ? {} : { path };
    super('NOT_FOUND', `Expected the id of ${what}, but got "${clipped(globalId)}"`, details);
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether it is a UUID in the form that the database writes. */
export function isUuid(text: string): boolean {
  return uuid.test(text);
}

/** Opaque: base64url of the type's name and the row's id (of a model: its name). */
export function toGlobalId(type: NodeType, id: string): string {
  return Buffer.from(`${type}:${id}`, 'utf8').toString('base64url');
}

/** Null for everything that `toGlobalId` did not write. */
export function parseGlobalId(globalId: string): { type: NodeType; id: string } | null {
  if (globalId.length > 400) return null;
  const text = Buffer.from(globalId, 'base64url').toString('utf8');
  const colon = text.indexOf(':');
  const type = nodeTypes.find((known) => known === text.slice(0, colon));
  const id = text.slice(colon + 1);
  if (type === undefined || (type !== 'Model' && !isUuid(id))) return null;
  // Several base64 texts decode to the same bytes; only the one that we write is an id.
  return toGlobalId(type, id) === globalId ? { type, id } : null;
}

/** The row's id; null where it is the id of something else, or none at all. */
export function rowIdOf(type: NodeType, globalId: string): string | null {
  const parsed = parseGlobalId(globalId);
  return parsed?.type === type ? parsed.id : null;
}

/**
 * The row's id.
 * @throws NotFound
 */
export function requireRowId(
  type: NodeType,
  globalId: string,
  path: readonly string[] = ['id'],
): string {
  const id = rowIdOf(type, globalId);
  if (id === null) throw new NotFound(nameOf(type), globalId, path);
  return id;
}

/** With its article, for messages: `a project`, `an asset`. */
export function nameOf(type: NodeType): string {
  const noun = type === 'ApiKey' ? 'API key' : type.toLowerCase();
  return `${/^[aeiou]/i.test(noun) && noun !== 'user' ? 'an' : 'a'} ${noun}`;
}

/** Where an id is given that is none of this type. */
export function idProblems(
  type: NodeType,
  globalId: string | null | undefined,
  path: readonly string[],
): Mismatch[] {
  if (globalId == null || rowIdOf(type, globalId) !== null) return [];
  return [{ path, code: 'NOT_FOUND', expected: `the id of ${nameOf(type)}`, got: globalId }];
}
