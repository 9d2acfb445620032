/** Descriptions that all lists share, and the orders they have where none is asked for. */

export const idArg = { description: 'Its global id.' };
export const filterArg = { nullable: true, description: 'Which ones; all where left out.' };
export const orderArg = { nullable: true, description: 'In which order.' };
export const inProjectArg = {
  nullable: true,
  description: "Those of one project; all of the viewer's where left out.",
};

export const newest = { field: 'createdAt', direction: 'DESC' } as const;
export const latestChanged = { field: 'updatedAt', direction: 'DESC' } as const;
