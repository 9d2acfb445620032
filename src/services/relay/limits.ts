/** Rows of one page of a list. */
export const pageSize = { default: 50, min: 0, max: 1_000 } as const;

/** Characters (UTF-16 code units) of each text in a list's filter. */
export const filterLength = 200;

/** Ids of one change of several objects. */
export const changeIds = { min: 1, max: 1_000 } as const;

/** Tags that are counted in one answer. */
export const tagCounts = { min: 1, max: 1_000 } as const;
