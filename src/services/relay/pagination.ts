import { z } from 'zod';
import type { Mismatch } from '../../errors.ts';
import { refuse } from '../input/problems.ts';
import { isUuid } from './global-id.ts';
import { pageSize } from './limits.ts';

/** The four arguments of a connection. Left out and null are the same. */
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

/** Order of a list: by a column that is never null, then by id, so that the order is total. */
export type Order<Field extends string> = {
  readonly field: Field;
  readonly direction: Direction;
};

type Key = Date | string;
type Position = { readonly value: Key; readonly id: string };

/** Rows whose (column of the order, id) is above or below a position. */
export type Bound = Position & { readonly than: '>' | '<' };

/** What goes into `findMany`, beside the list's own filter. */
export type Keyset<Where> = {
  /** Bounds of the page, as conditions that all hold. */
  readonly where: Where[];
  /** The same for a list that is written in SQL: beyond each of these positions in the order. */
  readonly bounds: readonly Bound[];
  /** Of both columns of the order. */
  readonly direction: Direction;
  readonly orderBy: Record<string, 'asc' | 'desc'>[];
  readonly take: number;
};

/**
 * One page of a list by keyset pagination, in one query that asks for one row more than the page has. Rows that are inserted
 * between two requests make none repeat or vanish, and page 10,000 costs what page 1 does.
 * @throws BadInput with `pageProblems`
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
  refuse(pageProblems(args, order));
  const isBackward = args.last != null;
  const size = args.last ?? args.first ?? pageSize.default;
  const direction = isBackward ? opposite(order.direction) : order.direction;
  const after = readCursor(args.after, order);
  const before = readCursor(args.before, order);
  const found = await list.find({
    bounds: [
      ...(after ? [boundOf(order.direction, after)] : []),
      ...(before ? [boundOf(opposite(order.direction), before)] : []),
    ],
    direction,
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
      // On the other side lies at least the row of the cursor.
      hasNextPage: isBackward ? before !== null : hasMore,
      hasPreviousPage: isBackward ? hasMore : after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount: () => list.count(),
  };
}

/** Everything that is wrong with the arguments of a list in this order. */
export function pageProblems(args: PageArgs, order: Order<string>): Mismatch[] {
  return [
    ...sizeProblems(args),
    ...cursorProblems('after', args.after, order),
    ...cursorProblems('before', args.before, order),
  ];
}

function sizeProblems({ first, last }: PageArgs): Mismatch[] {
  if (first != null && last != null) {
    return [{ path: ['last'], expected: 'one of first and last', got: { phrase: 'both' } }];
  }
  const { min, max } = pageSize;
  const got = last ?? first ?? pageSize.default;
  if (Number.isInteger(got) && got >= min && got <= max) return [];
  const path = [last != null ? 'last' : 'first'];
  return [{ path, expected: `a number from ${min} to ${max}`, got, min, max }];
}

function cursorProblems(
  name: 'after' | 'before',
  cursor: string | null | undefined,
  order: Order<string>,
): Mismatch[] {
  if (cursor == null || readCursor(cursor, order) !== null) return [];
  const expected = `a cursor of a list ordered by ${order.field} ${order.direction}`;
  return [{ path: [name], code: 'BAD_CURSOR', expected, got: cursor }];
}

/**
 * The rows after a position: (field, id) > (value, id) as a row comparison. The first half alone is implied
 * by the second; it is there so that the database uses the index.
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

function boundOf(direction: Direction, position: Position): Bound {
  return { ...position, than: direction === 'ASC' ? '>' : '<' };
}

const cursorShape = z.tuple([
  z.string(),
  z.enum(['ASC', 'DESC']),
  // The years that both a Date and a timestamp of PostgreSQL hold.
  z.union([z.int().min(-62_135_596_800_000).max(253_402_300_799_999), z.string().max(1000)]),
  z.string().refine(isUuid),
]);

/** The position of a row in a list of this order. */
export function writeCursor<Field extends string>(
  { field, direction }: Order<Field>,
  row: { readonly id: string } & Readonly<Record<Field, Key>>,
): string {
  const value: Key = row[field];
  const written = value instanceof Date ? value.getTime() : value;
  return Buffer.from(JSON.stringify([field, direction, written, row.id])).toString('base64url');
}

/** Null for what is no cursor of such a list. */
function readCursor(
  cursor: string | null | undefined,
  { field, direction }: Order<string>,
): Position | null {
  if (cursor == null) return null;
  const parsed = cursorShape.safeParse(parseJson(cursor));
  if (!parsed.success) return null;
  const [cursorField, cursorDirection, value, id] = parsed.data;
  const fits = cursorField === field && cursorDirection === direction;
  const isClean = typeof value === 'number' || !/\0|\p{Surrogate}/u.test(value);
  if (!fits || !isClean || (typeof value === 'number') !== isTime(field)) return null;
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
