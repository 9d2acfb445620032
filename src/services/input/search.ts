import { Prisma } from '../../generated/prisma/client.ts';

/**
 * What people write into a search field, as a query of PostgreSQL's full-text search in the installation's language: all
 * words, in any order; "words in quotation marks" as a phrase; the last word also as the beginning of a longer one, for
 * lists that follow while somebody types. Null where it holds no letter or digit, and so says nothing.
 */
export function searchQuery(text: string): Prisma.Sql | null {
  const phrases = [...text.matchAll(/"([^"]*)"?/g)].map(([, phrase = '']) => phrase);
  const words = text.replace(/"[^"]*"?/g, ' ').match(/[\p{L}\p{N}]+/gu) ?? [];
  const isTyped = /[\p{L}\p{N}]$/u.test(text);
  const typed = isTyped ? words.pop() : undefined;
  const parts = [
    ...phrases
      .filter((phrase) => /[\p{L}\p{N}]/u.test(phrase))
      .map((phrase) => Prisma.sql`phraseto_tsquery("searchLanguage"(), ${phrase})`),
    ...(words.length > 0
      ? [Prisma.sql`plainto_tsquery("searchLanguage"(), ${words.join(' ')})`]
      : []),
    ...(typed === undefined ? [] : [begunWord(typed)]),
  ];
  return parts.length === 0 ? null : Prisma.join(parts, ' && ');
}

/** A word that the language leaves out ("the") is no condition, though something may begin with it. */
function begunWord(word: string): Prisma.Sql {
  return Prisma.sql`(CASE WHEN numnode(plainto_tsquery("searchLanguage"(), ${word})) = 0 THEN ''::tsquery
    ELSE to_tsquery("searchLanguage"(), ${`${word}:*`}) || to_tsquery('simple', ${`${word}:*`}) END)`;
}
