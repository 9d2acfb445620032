/** A GraphQL enum whose names are their own values, out of a list. */
export function enumOf<Name extends string>(names: readonly Name[]): { [N in Name]: N } {
  return Object.fromEntries(names.map((name) => [name, name])) as { [N in Name]: N };
}

/** One sentence for each name, as type-graphql wants it: a name without one does not compile. */
export function describe<Name extends string>(
  texts: Record<Name, string>,
): Record<Name, { description: string }> {
  const entries = Object.entries<string>(texts).map(([name, description]) => [
    name,
    { description },
  ]);
  return Object.fromEntries(entries);
}
