import { DomainError } from '../../errors.ts';
import type { Prisma, PrismaClient, Project } from '../../generated/prisma/client.ts';
import { lockUser } from '../access/keys.ts';
import type { Viewer } from '../access/viewer.ts';
import { refuse } from '../input/problems.ts';
import { escapeLike, filterProblems, nameProblems, textProblems } from '../input/text.ts';
import { rowIdOf } from '../relay/global-id.ts';
import {
  type Connection,
  type Order,
  type PageArgs,
  pageProblems,
  paginate,
} from '../relay/pagination.ts';
import { byId, rowLoader } from '../relay/row-loader.ts';
import { projectLimits } from './limits.ts';

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
  /** By row id; null where there is none or it is not the viewer's. */
  load(viewer: Viewer, rowId: string): Promise<Project | null>;
};

export type ProjectsOptions = {
  readonly client: PrismaClient;
  /** Projects that one user may have. */
  readonly maxProjects: number;
};

export function createProjects({ client, maxProjects }: ProjectsOptions): Projects {
  const loadRow = rowLoader<Project | null>(
    async (ids) => byId(await client.project.findMany({ where: { id: { in: [...ids] } } })),
    null,
  );
  return {
    async create(viewer, input) {
      const description = input.description ?? null;
      refuse([
        ...nameProblems(['name'], input.name, projectLimits.name),
        ...textProblems(['description'], description, projectLimits.description),
      ]);
      return client.$transaction(async (tx) => {
        await lockUser(tx, viewer.id); // Of two at once, the second one counts the first.
        const got = await tx.project.count({ where: { ownerId: viewer.id } });
        if (got >= maxProjects) throw tooManyProjects(got, maxProjects);
        const project = await tx.project.create({
          data: { ownerId: viewer.id, name: input.name.trim(), description },
        });
        return { project };
      });
    },
    async find(viewer, globalId) {
      const id = rowIdOf('Project', globalId);
      return id === null ? null : client.project.findUnique({ where: { id, ownerId: viewer.id } });
    },
    async page(viewer, { filter, order, args }) {
      refuse([
        ...pageProblems(args, order),
        ...filterProblems(filter, ['search'], projectLimits.name.max),
      ]);
      const where = ownedBy(viewer, filter);
      return paginate<ProjectOrder['field'], Project, Prisma.ProjectWhereInput>(args, {
        order,
        find: ({ where: place, orderBy, take }) =>
          client.project.findMany({ where: { AND: [where, ...place] }, orderBy, take }),
        count: () => client.project.count({ where }),
      });
    },
    async load(viewer, rowId) {
      const project = await loadRow(rowId);
      return project?.ownerId === viewer.id ? project : null;
    },
  };
}

function tooManyProjects(got: number, max: number): DomainError {
  const text = `Expected fewer than ${max} projects of yours, those in the trash included, but got ${got}: delete some first`;
  return new DomainError('QUOTA_EXCEEDED', text, { max, got });
}

function ownedBy(viewer: Viewer, { search, trashed }: ProjectFilter): Prisma.ProjectWhereInput {
  return {
    ownerId: viewer.id,
    trashedAt: trashed ? { not: null } : null,
    ...(search ? { name: { contains: escapeLike(search), mode: 'insensitive' } } : {}),
  };
}
