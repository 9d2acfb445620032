import { DomainError } from '../../errors.ts';
import type { Prisma, PrismaClient, Project } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { checkFilter, checkText, escapeLike } from '../input/text.ts';
import { isUuid, rowIdOf } from '../relay/global-id.ts';
import { type Connection, type Order, type PageArgs, paginate } from '../relay/pagination.ts';

/** Characters. */
export const projectLimits = {
  name: { min: 1, max: 200 },
  description: { min: 0, max: 5000 },
} as const;

export type CreateProjectInput = { readonly name: string; readonly description?: string | null };
export type ProjectFilter = { readonly search?: string | null; readonly trashed?: boolean | null };
export type ProjectOrder = Order<'updatedAt' | 'createdAt' | 'name'>;

export type Projects = {
  create(viewer: Viewer, input: CreateProjectInput): Promise<{ project: Project }>;
  /** Null where it does not exist or is not the viewer's. */
  find(viewer: Viewer, globalId: string): Promise<Project | null>;
  page(
    viewer: Viewer,
    list: { filter: ProjectFilter; order: ProjectOrder; args: PageArgs },
  ): Promise<Connection<Project>>;
  /** In the order of the row ids, null where there is none or it is not the viewer's: for a DataLoader. */
  byRowIds(viewer: Viewer, rowIds: readonly string[]): Promise<(Project | null)[]>;
};

export class BlankProjectName extends DomainError {
  constructor() {
    super(
      'BAD_USER_INPUT',
      'Expected a project name with at least one visible character, but got none',
      {
        path: ['name'],
        min: projectLimits.name.min,
      },
    );
  }
}

export function createProjects({ client }: { client: PrismaClient }): Projects {
  return {
    async create(viewer, input) {
      checkText(['name'], input.name, projectLimits.name);
      if (input.name.trim() === '') throw new BlankProjectName();
      const description = input.description ?? null;
      if (description !== null) checkText(['description'], description, projectLimits.description);
      const project = await client.project.create({
        data: { ownerId: viewer.id, name: input.name.trim(), description },
      });
      return { project };
    },
    async find(viewer, globalId) {
      const id = rowIdOf('Project', globalId);
      return id === null ? null : client.project.findUnique({ where: { id, ownerId: viewer.id } });
    },
    async page(viewer, { filter, order, args }) {
      const where = ownedBy(viewer, filter);
      return paginate<ProjectOrder['field'], Project, Prisma.ProjectWhereInput>(args, {
        order,
        find: ({ where: place, orderBy, take }) =>
          client.project.findMany({ where: { AND: [where, ...place] }, orderBy, take }),
        count: () => client.project.count({ where }),
      });
    },
    async byRowIds(viewer, rowIds) {
      const rows = await client.project.findMany({
        where: { id: { in: rowIds.filter(isUuid) }, ownerId: viewer.id },
      });
      const byId = new Map(rows.map((row) => [row.id, row]));
      return rowIds.map((id) => byId.get(id) ?? null);
    },
  };
}

function ownedBy(viewer: Viewer, { search, trashed }: ProjectFilter): Prisma.ProjectWhereInput {
  checkFilter({ search }, ['search'], projectLimits.name.max);
  return {
    ownerId: viewer.id,
    trashedAt: trashed ? { not: null } : null,
    ...(search ? { name: { contains: escapeLike(search), mode: 'insensitive' } } : {}),
  };
}
