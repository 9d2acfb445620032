import type { RequestHandler } from 'express';
import { Lexer, Source, TokenKind } from 'graphql';
import { QueryTooComplex, requestLimits } from './limits.ts';

/**
 * Refuses a document that is nested so deep that parsing or validating it, which both recurse, would use up the
 * stack. It reads tokens one after the other, and no more of them than the parser would take.
 * @throws QueryTooComplex
 */
export function checkNesting(text: string): void {
  const lexer = new Lexer(new Source(text));
  const { nesting, tokens } = requestLimits;
  let depth = 0;
  for (let count = 0; count < tokens; count++) {
    const kind = nextKind(lexer);
    if (opening.has(kind)) depth++;
    else if (closing.has(kind)) depth--;
    else if (kind === TokenKind.EOF) return;
    if (depth > nesting) throw new QueryTooComplex('nested brackets', depth, nesting);
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

/** The end where there is no token: the parser says what is wrong with it, and where. */
function nextKind(lexer: Lexer): TokenKind {
  try {
    return lexer.advance().kind;
  } catch {
    return TokenKind.EOF;
  }
}

/** The same for the document of an HTTP request, wherever it is. */
export const boundedNesting: RequestHandler = (request, _response, next) => {
  for (const { query } of [request.query, Object(request.body)]) {
    if (typeof query === 'string') checkNesting(query);
  }
  next();
};
