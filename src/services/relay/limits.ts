/** Rows of one page of a list. */
export const pageSize = { default: 50, min: 0, max: 200 } as const;

/** Characters (UTF-16 code units) of each text in a list's filter. */
export const filterLength = 200;
