/**
 * The statements of an SQL script, without their semicolons, in order. Knows what may hide a semicolon:
 * strings, quoted names, dollar quotes, comments (which nest in PostgreSQL).
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let start = 0;
  let hasCode = false;
  for (let at = 0; at < sql.length; ) {
    if (sql[at] === ';') {
      if (hasCode) statements.push(sql.slice(start, at).trim());
      start = at + 1;
      hasCode = false;
      at++;
      continue;
    }
    const comment = commentEnd(sql, at);
    if (comment > at) {
      at = comment;
      continue;
    }
    if (!/\s/.test(sql[at]!)) hasCode = true;
    at = quoteEnd(sql, at) ?? at + 1;
  }
  if (hasCode) statements.push(sql.slice(start).trim());
  return statements;
}

function commentEnd(sql: string, at: number): number {
  if (sql.startsWith('--', at)) {
    const end = sql.indexOf('\n', at);
    return end === -1 ? sql.length : end;
  }
  if (!sql.startsWith('/*', at)) return at;
  let depth = 0;
  for (let i = at; i < sql.length; i++) {
    if (sql.startsWith('/*', i)) {
      depth++;
      i++;
    } else if (sql.startsWith('*/', i)) {
      depth--;
      i++;
      if (depth === 0) return i + 1;
    }
  }
  return sql.length;
}

/** Where the quoted text that starts at `at` ends; undefined where none starts. */
function quoteEnd(sql: string, at: number): number | undefined {
  const quote = sql[at]!;
  if (quote === "'" || quote === '"') {
    const escapes = quote === "'" && /(^|[^\w$])e$/i.test(sql.slice(Math.max(0, at - 2), at));
    for (let i = at + 1; i < sql.length; i++) {
      if (escapes && sql[i] === '\\') i++;
      else if (sql[i] === quote) {
        if (sql[i + 1] !== quote) return i + 1;
        i++; // doubled: part of the text
      }
    }
    return sql.length;
  }
  if (quote !== '$' || /[\w$]/.test(sql[at - 1] ?? '')) return undefined;
  const tag = /^\$(?:[A-Za-z_]\w*)?\$/.exec(sql.slice(at, at + 70))?.[0];
  if (tag === undefined) return undefined;
  const end = sql.indexOf(tag, at + tag.length);
  return end === -1 ? sql.length : end + tag.length;
}
