/** Rows of one page of a list. */
export const pageSize = { default: 50, min: 0, max: 200 } as const;
