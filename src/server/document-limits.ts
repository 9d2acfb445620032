import type { RequestHandler } from 'express';
import { Lexer, Source, TokenKind } from 'graphql';
import { documentLimits, QueryTooComplex, requestLimits } from './limits.ts';

/**
 * Refuses a document that parsing or validating would take long over: both recurse into what is nested, and validation
 * compares fields of one name, and fragments, with each other, so that its time grows with their square. Reads tokens
 * one after the other, and no more of them than the parser would take.
 * @throws QueryTooComplex
 */
export function checkDocument(text: string): void {
  const counts = createCounts();
  const lexer = new Lexer(new Source(text));
  for (let count = 0; count < requestLimits.tokens; count++) {
    const { kind, value } = nextToken(lexer);
    if (kind === TokenKind.EOF) return;
    counts.take(kind, value);
  }
}

type TokenRead = { readonly kind: TokenKind; readonly value: string };

/** The end where there is no token: the parser says what is wrong with it, and where. */
function nextToken(lexer: Lexer): TokenRead {
  try {
    const { kind, value } = lexer.advance();
    return { kind, value };
  } catch {
    return { kind: TokenKind.EOF, value: '' };
  }
}

const opening: ReadonlySet<TokenKind> = new Set([
  TokenKind.BRACE_L,
  TokenKind.BRACKET_L,
  TokenKind.PAREN_L,
]);
const closing: ReadonlySet<TokenKind> = new Set([
  TokenKind.BRACE_R,
  TokenKind.BRACKET_R,
  TokenKind.PAREN_R,
]);
/** A name behind one of these is no field's. */
const notAField: ReadonlySet<TokenKind> = new Set([
  TokenKind.SPREAD,
  TokenKind.AT,
  TokenKind.COLON, // The field behind an alias: the alias is its name in the answer.
]);

/** What has been seen of a document, token by token. */
function createCounts() {
  /** What is open: the names of a selection set, or null for anything else. */
  const open: (Set<string> | null)[] = [];
  let [fragments, spreads, repeated, introspections] = [0, 0, 0, 0];
  let before: TokenRead = { kind: TokenKind.SOF, value: '' };
  let isCondition = false;

  const check = (what: string, got: number, max: number) => {
    if (got > max) throw new QueryTooComplex(what, got, max);
  };
  const takeName = (value: string) => {
    const set = open.at(-1);
    if (open.length === 0 && value === 'fragment') fragments++;
    if (set && (value === '__schema' || value === '__type')) introspections++;
    if (!set || isCondition || notAField.has(before.kind)) return;
    if (set.has(value)) repeated++;
    set.add(value);
  };

  return {
    take(kind: TokenKind, value: string): void {
      if (opening.has(kind)) {
        // A brace inside parentheses opens an input, not a selection.
        const isSelection = kind === TokenKind.BRACE_L && !open.includes(null);
        open.push(isSelection ? new Set() : null);
      } else if (closing.has(kind)) open.pop();
      else if (kind === TokenKind.SPREAD) spreads++;
      else if (kind === TokenKind.NAME) takeName(value);
      // The type behind `... on`.
      isCondition = kind === TokenKind.NAME && value === 'on' && before.kind === TokenKind.SPREAD;
      before = { kind, value };
      check('nested brackets', open.length, requestLimits.nesting);
      check('fragments', fragments, documentLimits.fragments);
      check('uses of fragments', spreads, documentLimits.spreads);
      check('questions about the schema', introspections, documentLimits.introspections);
      check('repeated fields', repeated, documentLimits.repeatedFields);
    },
  };
}

/** Checks the document of an HTTP request, wherever it is. One that is named by its hash has been checked before. */
export function checkedDocument(check: (text: string) => void): RequestHandler {
  return (request, _response, next) => {
    for (const { query } of [request.query, Object(request.body)]) {
      if (typeof query === 'string') check(query);
    }
    next();
  };
}
