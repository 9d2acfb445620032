import type { PrismaClient } from '../generated/prisma/client.ts';

/** Name of the one user of an installation without authentication. */
export const localUserName = 'local';

/**
 * The rows that every installation has: its own, the local user and that user's default project.
 * Existing rows are not changed, so that several processes may start at once.
 */
export async function ensureInstallation(client: PrismaClient): Promise<void> {
  await client.installation.createMany({ data: { id: 1 }, skipDuplicates: true });
  await client.user.createMany({
    data: { name: localUserName, role: 'ADMIN' },
    skipDuplicates: true,
  });
  const { id } = await client.user.findUniqueOrThrow({ where: { name: localUserName } });
  await client.project.createMany({
    data: { ownerId: id, name: 'Default', defaultOf: id },
    skipDuplicates: true,
  });
}

/** Makes the search of all rows anew where the language is another one than before. */
export async function ensureSearchLanguage(client: PrismaClient, language: string): Promise<void> {
  await client.$transaction(
    async (tx) => {
      const { count } = await tx.installation.updateMany({
        where: { id: 1, searchLanguage: { not: language } },
        data: { searchLanguage: language },
      });
      if (count === 0) return;
      await tx.$executeRaw`SELECT set_config('statement_timeout', '0', true)`;
      await tx.$executeRaw`UPDATE "Generation" SET "search" = NULL`; // Triggers fill it in.
      await tx.$executeRaw`UPDATE "Asset" SET "search" = NULL`;
    },
    { timeout: 600_000 },
  );
}
