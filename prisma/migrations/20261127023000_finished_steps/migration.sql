-- AlterTable
ALTER TABLE "Generation" ADD COLUMN "finishedSteps" INTEGER NOT NULL DEFAULT 0;

-- Of the generations that are there: the steps of the images that are stored.
UPDATE "Generation" g SET "finishedSteps" = g."steps" * (
  SELECT count(*)::int FROM "Asset" a WHERE a."generationId" = g."id"
);
