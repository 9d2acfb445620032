/** What a credential may do. None of them contains another one. */
export const scopes = ['READ', 'GENERATE', 'WRITE', 'ADMIN'] as const;
export type Scope = (typeof scopes)[number];

/** UTF-16 code units. */
export const keyLimits = { name: { min: 1, max: 100 } } as const;
export const userLimits = { name: { min: 1, max: 100 } } as const;

/** Keys of one user that work. */
export const maxKeys = 100;

export const auditLimits = { action: { min: 1, max: 100 } } as const;
