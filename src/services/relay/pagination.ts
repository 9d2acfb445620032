import { z } from 'zod';
import { DomainError } from '../../errors.ts';
import { isUuid } from './global-id.ts';

/** The four arguments of a connection, as GraphQL hands them over: left out and null are the same. */
export type PageArgs = {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
};

export type Direction = 'ASC' | 'DESC';

/** A connection of the Relay specification. */
export type Connection<Row> = {
  readonly edges: { readonly cursor: string; readonly node: Row }[];
  readonly nodes: Row[];
  readonly pageInfo: PageInfo;
  /** All rows that the filter lets through; counted only when called. */
  totalCount(): Promise<number>;
};

export type PageInfo = {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
};

export const pageSize = { default: 50, min: 0, max: 200 } as const;

export class BadPageSize extends DomainError {
  constructor(name: 'first' | 'last', got: number) {
    const { min, max } = pageSize;
    super('BAD_USER_INPUT', `Expected ${name} from ${min} to ${max}, but got ${got}`, {
      path: [name],
      min,
      max,
      got,
    });
  }
}

export class BothPageEnds extends DomainError {
  constructor() {
    super('BAD_USER_INPUT', 'Expected one of first and last, but got both', { path: ['last'] });
  }
}

export class BadPageCursor extends DomainError {
  constructor(name: 'after' | 'before', got: string, order: string) {
    const shown = got.length > 60 ? `${got.slice(0, 60)}…` : got;
    super('BAD_CURSOR', `Expected a cursor of a list ordered by ${order}, but got "${shown}"`, {
      path: [name],
    });
  }
}

/** Order of a list: by a column that is never null, then by id, so that no two rows are level. */
export type Order<Field extends string> = {
  readonly field: Field;
  readonly direction: Direction;
};

type Key = Date | string;
type Position = { readonly value: Key; readonly id: string };

/** What goes into `findMany`, beside the list's own filter. */
export type Keyset<Where> = {
  /** Where the page lies, as conditions that all hold. */
  readonly where: Where[];
  readonly orderBy: Record<string, 'asc' | 'desc'>[];
  readonly take: number;
};

/**
 * One page of a list, in one query of a row more than asked for. Rows are found by what they are
 * (after this time and id), never by how many stand before them: what is inserted between two
 * requests makes nothing repeat or vanish, and page 10,000 costs what page 1 does.
 */
export async function paginate<
  Field extends string,
  Row extends { readonly id: string } & Readonly<Record<Field, Key>>,
  Where,
>(
  args: PageArgs,
  list: {
    readonly order: Order<Field>;
    readonly find: (keyset: Keyset<Where>) => Promise<Row[]>;
    readonly count: () => Promise<number>;
  },
): Promise<Connection<Row>> {
  const { order } = list;
  const { size, isBackward } = readSize(args);
  const direction = isBackward ? opposite(order.direction) : order.direction;
  const after = readCursor('after', args.after, order);
  const before = readCursor('before', args.before, order);
  const found = await list.find({
    where: [
      ...(after ? [beyond<Where>(order.field, order.direction, after)] : []),
      ...(before ? [beyond<Where>(order.field, opposite(order.direction), before)] : []),
    ],
    orderBy: [{ [order.field]: lower(direction) }, { id: lower(direction) }],
    take: size + 1,
  });
  const hasMore = found.length > size;
  const nodes = found.slice(0, size);
  if (isBackward) nodes.reverse();
  const edges = nodes.map((node) => ({ cursor: writeCursor(order, node), node }));
  return {
    edges,
    nodes,
    pageInfo: {
      // Where the query did not look, the cursor's own row is known to stand.
      hasNextPage: isBackward ? before !== null : hasMore,
      hasPreviousPage: isBackward ? hasMore : after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount: () => list.count(),
  };
}

function readSize({ first, last }: PageArgs): { size: number; isBackward: boolean } {
  if (first != null && last != null) throw new BothPageEnds();
  const name = last != null ? 'last' : 'first';
  const size = last ?? first ?? pageSize.default;
  if (!Number.isInteger(size) || size < pageSize.min || size > pageSize.max) {
    throw new BadPageSize(name, size);
  }
  return { size, isBackward: name === 'last' };
}

/**
 * The rows after a position: (field, id) > (value, id) as a row comparison. The first half alone is implied
 * by the second; it is there so that the database walks an index to the place.
 */
function beyond<Where>(field: string, direction: Direction, { value, id }: Position): Where {
  const than = direction === 'ASC' ? 'gt' : 'lt';
  const condition = {
    AND: [
      { [field]: { [`${than}e`]: value } },
      { OR: [{ [field]: { [than]: value } }, { id: { [than]: id } }] },
    ],
  };
  return condition as Where; // `paginate` has checked that the rows have such a field.
}

const cursorShape = z.tuple([
  z.string(),
  z.enum(['ASC', 'DESC']),
  // The years that both a Date and a timestamp of PostgreSQL hold.
  z.union([z.int().min(-62_135_596_800_000).max(253_402_300_799_999), z.string().max(1000)]),
  z.string().refine(isUuid),
]);

function writeCursor<Field extends string>(
  { field, direction }: Order<Field>,
  row: { readonly id: string } & Readonly<Record<Field, Key>>,
): string {
  const value: Key = row[field];
  const written = value instanceof Date ? value.getTime() : value;
  return Buffer.from(JSON.stringify([field, direction, written, row.id])).toString('base64url');
}

function readCursor(
  name: 'after' | 'before',
  cursor: string | null | undefined,
  { field, direction }: Order<string>,
): Position | null {
  if (cursor == null) return null;
  const parsed = cursorShape.safeParse(parseJson(cursor));
  if (!parsed.success) throw new BadPageCursor(name, cursor, `${field} ${direction}`);
  const [cursorField, cursorDirection, value, id] = parsed.data;
  const fits = cursorField === field && cursorDirection === direction;
  const isClean = typeof value === 'number' || !/\0|\p{Surrogate}/u.test(value);
  if (!fits || !isClean || (typeof value === 'number') !== isTime(field)) {
    throw new BadPageCursor(name, cursor, `${field} ${direction}`);
  }
  return { value: typeof value === 'number' ? new Date(value) : value, id };
}

function isTime(field: string): boolean {
  return field.endsWith('At');
}

function parseJson(cursor: string): unknown {
  if (cursor.length > 6000) return null;
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return null; // Not ours: the shape says so below.
  }
}

function opposite(direction: Direction): Direction {
  return direction === 'ASC' ? 'DESC' : 'ASC';
}

function lower(direction: Direction): 'asc' | 'desc' {
  return direction === 'ASC' ? 'asc' : 'desc';
}
