/** Descriptions that all lists share, and the orders they have where none is asked for. */

export const idArg = { description: 'Global id.' };
export const filterArg = { nullable: true, description: 'Conditions. Default: none.' };
export const orderArg = {
  nullable: true,
  description: 'Order of the list. Default: newest first.',
};
export const inProjectArg = {
  nullable: true,
  description: 'Global id of a project, whose items alone are listed. Default: all of the viewer.',
};

export const newest = { field: 'createdAt', direction: 'DESC' } as const;
export const latestChanged = { field: 'updatedAt', direction: 'DESC' } as const;
