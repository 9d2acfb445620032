import { DomainError } from '../../errors.ts';

/** What `node` can find, by the names of their GraphQL types. */
export const nodeTypes = ['Project', 'Generation', 'Asset', 'User', 'Model'] as const;
export type NodeType = (typeof nodeTypes)[number];

/** "Not yours" and "not there" are one answer. */
export class NotFound extends DomainError {
  constructor(what: string, globalId: string, path: readonly string[] = []) {
    const details = path.length === 0 ? {} : { path };
    super('NOT_FOUND', `Expected the id of ${what}, but got "${clipped(globalId)}"`, details);
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Is this what the database takes for a UUID, written as it writes them? */
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
  // Base64 has several spellings of the same bytes; an object has one id.
  return toGlobalId(type, id) === globalId ? { type, id } : null;
}

/** The row's id; null where it is the id of something else, or none at all. */
export function rowIdOf(type: NodeType, globalId: string): string | null {
  const parsed = parseGlobalId(globalId);
  return parsed?.type === type ? parsed.id : null;
}

/**
 * The row's id, for what must be there.
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

/** As it stands in a sentence: `a project`, `an asset`. */
export function nameOf(type: NodeType): string {
  const noun = type.toLowerCase();
  return `${/^[aeiou]/.test(noun) && noun !== 'user' ? 'an' : 'a'} ${noun}`;
}

function clipped(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
