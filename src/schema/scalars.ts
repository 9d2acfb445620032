import GraphQLUpload from 'graphql-upload/GraphQLUpload.mjs';
import 'reflect-metadata';
import { inspect } from 'node:util';
import {
  GraphQLError,
  GraphQLScalarType,
  Kind,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import { limits } from '../inference/request.ts';

/** Refuses a client's value. */
function refuse(name: string, expected: string, got: unknown, node?: ValueNode): never {
  // Not `String`: it recurses into arrays, however deep they are.
  const isText = typeof got === 'string';
  const shown = isText ? JSON.stringify(got.slice(0, 60)) : inspect(got, { depth: 0 });
  throw new GraphQLError(`Expected ${expected} as ${name}, but got ${shown}`, {
    ...(node && { nodes: node }), // Where it stands in the document, of a literal.
    extensions: { code: 'BAD_USER_INPUT' },
  });
}

/** An invalid value of the server's own is a defect, not a fault of the client. */
function fail(name: string, got: unknown): never {
  throw new TypeError(`Expected a value to send as ${name}, but got ${typeof got} ${String(got)}`);
}

function literal(node: ValueNode): unknown {
  switch (node.kind) {
    case Kind.STRING:
      return node.value;
    case Kind.INT:
      return Number(node.value);
    default:
      return undefined;
  }
}

/** RFC 3339, with a time zone: without one, a time means another moment on every machine. */
const rfc3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-](\d{2}):(\d{2}))$/i;

/** The years 1 to 9999, also where the zone moves a time over their edge: PostgreSQL has no year 0. */
const earliest = Date.parse('0001-01-01T00:00:00.000Z');
const latest = Date.parse('9999-12-31T23:59:59.999Z');

function parseTime(got: unknown, node?: ValueNode): Date {
  const time = typeof got === 'string' && isTime(got) ? Date.parse(got) : Number.NaN;
  if (time >= earliest && time <= latest) return new Date(time);
  return refuse(
    'DateTime',
    'a time such as "2026-01-31T12:00:00Z", of the years 1 to 9999,',
    got,
    node,
  );
}

/** `Date.parse` takes 30 February for 2 March, and 24:00 for the next day. */
function isTime(text: string): boolean {
  const [, ...parts] = rfc3339.exec(text) ?? [];
  const [year, month, day, hour, minute, second, , , zoneHour = 0, zoneMinute = 0] =
    parts.map(Number);
  if (year === undefined || month === undefined || day === undefined) return false;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  const isClock = (hour ?? 24) < 24 && (minute ?? 60) < 60 && (second ?? 60) < 60;
  return isDay && isClock && (zoneHour || 0) < 24 && (zoneMinute || 0) < 60;
}

export const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description: 'A time in RFC 3339 with a time zone, for example "2026-01-31T12:00:00.000Z".',
  serialize: (value) => (value instanceof Date ? value.toISOString() : fail('DateTime', value)),
  parseValue: (value) => parseTime(value),
  parseLiteral: (node) => parseTime(literal(node), node),
});

/**
 * A whole number, also one written as text. Any other text is passed on: it is refused with all other problems of its
 * input, by path, where numbers out of range are refused, too.
 */
function parseSeed(got: unknown, node?: ValueNode): number | string {
  if (typeof got === 'number') return got;
  if (typeof got === 'boolean') return String(got);
  // Beyond 2^53 the number would be another one than that which came.
  if (typeof got === 'string') return Number.isSafeInteger(asWhole(got)) ? asWhole(got) : got;
  const { min, max } = limits.seed;
  return refuse('Seed', `a whole number from ${min} to ${max} (none for a random one)`, got, node);
}

function asWhole(text: string): number {
  return /^-?\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
}

export const Seed = new GraphQLScalarType<number | string, string>({
  name: 'Seed',
  description:
    "A whole number from 0 to 2^53-1, written as a decimal string; also accepted as a JSON number. GraphQL's Int is 32-bit.",
  serialize: (value) =>
    typeof value === 'bigint' || typeof value === 'number' ? value.toString() : fail('Seed', value),
  parseValue: (value) => parseSeed(value),
  parseLiteral: (node) =>
    parseSeed(node.kind === Kind.INT ? node.value : valueFromASTUntyped(node), node),
});

function parseBytes(got: unknown, node?: ValueNode): number {
  if (typeof got === 'number' && Number.isSafeInteger(got) && got >= 0) return got;
  return refuse('Bytes', 'a whole number from 0 to 2^53-1', got, node);
}

export const Bytes = new GraphQLScalarType<number, number>({
  name: 'Bytes',
  description:
    "A whole number of bytes up to 2^53-1, as a JSON number: GraphQL's Int ends at 2 GB.",
  serialize: (value) => Number(value),
  parseValue: (value) => parseBytes(value),
  parseLiteral: (node) => parseBytes(literal(node), node),
});

function parseText(name: string, expected: string) {
  return (got: unknown, node?: ValueNode) =>
    typeof got === 'string' ? got : refuse(name, expected, got, node);
}

const parseCursor = parseText('Cursor', 'a cursor that this server gave out');

export const Cursor = new GraphQLScalarType<string, string>({
  name: 'Cursor',
  description: 'Opaque position in a list or in an event log.',
  serialize: String,
  parseValue: (value) => parseCursor(value),
  parseLiteral: (node) => parseCursor(node.kind === Kind.STRING ? node.value : undefined, node),
});

const parseUrl = parseText('URL', 'an address');

export const Url = new GraphQLScalarType<string, string>({
  name: 'URL',
  description: 'An absolute URL, for example "http://127.0.0.1:4000/files/…".',
  serialize: String,
  parseValue: (value) => parseUrl(value),
  parseLiteral: (node) => parseUrl(node.kind === Kind.STRING ? node.value : undefined, node),
});

/** A file of a request of the GraphQL multipart request specification. */
export const Upload = new GraphQLScalarType({
  ...GraphQLUpload.toConfig(),
  description:
    'A file of the request, sent as the GraphQL multipart request specification says (multipart/form-data).',
});
