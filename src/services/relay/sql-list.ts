import type { Mismatch } from '../../errors.ts';
import { Prisma, type PrismaClient } from '../../generated/prisma/client.ts';
import { type Bound, type Connection, type Order, type PageArgs, paginate } from './pagination.ts';

/** A list in SQL: what Prisma's filters cannot say (full-text search, ratios, arrays), on the row `r` of one table. */
export type SqlList = {
  readonly table: string;
  /** Of the rows that are given. */
  readonly columns: readonly string[];
  readonly where: Prisma.Sql;
  /** What `search` of the rows is ranked by; needed for the order by relevance. */
  readonly query: Prisma.Sql | null;
};

export type ListOrder = Order<'createdAt' | 'relevance'>;

/** Of the order by relevance: the newest matches are ranked, however many there are. */
export const rankedMatches = 1_000;

/** A page, in one statement. @throws BadInput with `pageProblems` */
export async function sqlPage<Row extends { id: string; createdAt: Date }>(
  client: PrismaClient,
  list: SqlList,
  { order, args }: { order: ListOrder; args: PageArgs },
): Promise<Connection<Row>> {
  const count = () => countOf(client, list);
  if (order.field === 'createdAt') {
    return paginate<'createdAt', Row, unknown>(args, {
      ...{ order: { ...order, field: 'createdAt' }, count },
      find: ({ bounds, direction, take }) => {
        const way = Prisma.raw(direction);
        const within = bounds.map(
          ({ value, id, than }) =>
            Prisma.sql`AND (r."createdAt", r."id") ${Prisma.raw(than)} (${value}::timestamptz, ${id}::uuid)`,
        );
        return client.$queryRaw<Row[]>`
          SELECT ${columnsOf(list)} FROM ${tableOf(list)} r WHERE ${list.where} ${join(within)}
          ORDER BY r."createdAt" ${way}, r."id" ${way} LIMIT ${take}`;
      },
    });
  }
  return paginate<'relevance', Row & { relevance: string }, unknown>(args, {
    ...{ order: { ...order, field: 'relevance' }, count },
    find: (page) => ranked<Row>(client, list, page),
  });
}

/** Ranks have eight decimals: as texts they are in the order of numbers, and a cursor holds one exactly. */
function ranked<Row>(
  client: PrismaClient,
  list: SqlList,
  page: { bounds: readonly Bound[]; direction: string; take: number },
): Promise<(Row & { relevance: string })[]> {
  const way = Prisma.raw(page.direction);
  const within = page.bounds.map(
    ({ value, id, than }) =>
      Prisma.sql`AND (k."relevance" COLLATE "C", k."id") ${Prisma.raw(than)} (${String(value)}, ${id}::uuid)`,
  );
  return client.$queryRaw`
    WITH newest AS (
      SELECT r."id", r."search" FROM ${tableOf(list)} r WHERE ${list.where}
      ORDER BY r."createdAt" DESC, r."id" DESC LIMIT ${rankedMatches}
    ),
    k AS (
      SELECT "id", to_char(ts_rank_cd("search", ${list.query ?? Prisma.sql`''::tsquery`}, 32), 'FM0.00000000') AS "relevance"
      FROM newest
    )
    SELECT ${columnsOf(list)}, k."relevance" FROM k JOIN ${tableOf(list)} r ON r."id" = k."id"
    WHERE true ${join(within)}
    ORDER BY k."relevance" COLLATE "C" ${way}, k."id" ${way} LIMIT ${page.take}`;
}

async function countOf(client: PrismaClient, list: SqlList): Promise<number> {
  const [row] = await client.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS "count" FROM ${tableOf(list)} r WHERE ${list.where}`;
  return row?.count ?? 0;
}

function tableOf({ table }: SqlList): Prisma.Sql {
  return Prisma.raw(`"${table}"`);
}

function columnsOf({ columns }: SqlList): Prisma.Sql {
  return Prisma.raw(columns.map((name) => `r."${name}"`).join(', '));
}

function join(parts: readonly Prisma.Sql[]): Prisma.Sql {
  return parts.length === 0 ? Prisma.empty : Prisma.join([...parts], ' ');
}

/** A search that says nothing finds nothing. */
export function matches(query: Prisma.Sql | null): Prisma.Sql {
  return query === null ? Prisma.sql`false` : Prisma.sql`r."search" @@ (${query})`;
}

/** Relevance is that to a search. */
export function relevanceProblems(
  { field }: ListOrder,
  search: string | null | undefined,
): Mismatch[] {
  if (field !== 'relevance' || search) return [];
  const expected = 'CREATED_AT, or RELEVANCE together with a search in the filter';
  const got = { phrase: 'RELEVANCE without a search' };
  return [{ path: ['orderBy', 'field'], expected, got }];
}

/** All of them hold. */
export function allOf(conditions: readonly (Prisma.Sql | null)[]): Prisma.Sql {
  return Prisma.join(
    conditions.filter((one) => one !== null),
    ' AND ',
  );
}
