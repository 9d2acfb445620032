-- AlterTable
ALTER TABLE "Asset" ADD COLUMN     "isFavorite" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "kind" "GenerationKind",
ADD COLUMN     "model" TEXT,
ADD COLUMN     "sampler" TEXT,
ADD COLUMN     "search" tsvector,
ADD COLUMN     "tags" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "Generation" ADD COLUMN     "retryOfId" UUID,
ADD COLUMN     "search" tsvector,
ADD COLUMN     "sourceId" UUID,
ADD COLUMN     "strength" DOUBLE PRECISION;

-- AlterTable
ALTER TABLE "Installation" ADD COLUMN     "pausedAt" TIMESTAMPTZ(3),
ADD COLUMN     "searchLanguage" TEXT NOT NULL DEFAULT 'english';

-- AlterTable
ALTER TABLE "Project" ADD COLUMN     "coverId" UUID;

-- CreateTable
CREATE TABLE "Preset" (
    "id" UUID NOT NULL,
    "ownerId" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "settings" JSONB NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Preset_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "EmbeddedSettings" (
    "assetId" UUID NOT NULL,
    "settings" JSONB NOT NULL,

    CONSTRAINT "EmbeddedSettings_pkey" PRIMARY KEY ("assetId")
);

-- CreateIndex
CREATE UNIQUE INDEX "Preset_ownerId_name_key" ON "Preset"("ownerId", "name");

-- CreateIndex
CREATE INDEX "Asset_ownerId_model_createdAt_id_idx" ON "Asset"("ownerId", "model", "createdAt" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "Asset_ownerId_isFavorite_createdAt_id_idx" ON "Asset"("ownerId", "isFavorite", "createdAt" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "Asset_ownerId_seed_idx" ON "Asset"("ownerId", "seed");

-- CreateIndex
CREATE INDEX "Asset_tags_idx" ON "Asset" USING GIN ("tags");

-- CreateIndex
CREATE INDEX "Asset_search_idx" ON "Asset" USING GIN ("search" tsvector_ops);

-- CreateIndex
CREATE INDEX "Generation_sourceId_idx" ON "Generation"("sourceId");

-- CreateIndex
CREATE INDEX "Generation_retryOfId_idx" ON "Generation"("retryOfId");

-- CreateIndex
CREATE INDEX "Generation_search_idx" ON "Generation" USING GIN ("search" tsvector_ops);

-- CreateIndex
CREATE INDEX "Project_coverId_idx" ON "Project"("coverId");

-- AddForeignKey
ALTER TABLE "Project" ADD CONSTRAINT "Project_coverId_fkey" FOREIGN KEY ("coverId") REFERENCES "Asset"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Generation" ADD CONSTRAINT "Generation_sourceId_fkey" FOREIGN KEY ("sourceId") REFERENCES "Asset"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Generation" ADD CONSTRAINT "Generation_retryOfId_fkey" FOREIGN KEY ("retryOfId") REFERENCES "Generation"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Preset" ADD CONSTRAINT "Preset_ownerId_fkey" FOREIGN KEY ("ownerId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "EmbeddedSettings" ADD CONSTRAINT "EmbeddedSettings_assetId_fkey" FOREIGN KEY ("assetId") REFERENCES "Asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Full-text search. Triggers and not generated columns: the language is the installation's, and an image is found by the
-- prompt of its generation.
CREATE FUNCTION "searchLanguage"() RETURNS regconfig LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT "searchLanguage" FROM "Installation" WHERE "id" = 1), 'english')::regconfig
$$;

CREATE FUNCTION "searchOfGeneration"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."search" := to_tsvector("searchLanguage"(), NEW."prompt");
  RETURN NEW;
END
$$;

CREATE FUNCTION "searchOfAsset"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  language regconfig := "searchLanguage"();
  made tsvector := (SELECT g."search" FROM "Generation" g WHERE g."id" = NEW."generationId");
BEGIN
  NEW."search" := setweight(to_tsvector(language, coalesce(NEW."title", '')), 'A')
    || setweight(to_tsvector(language, array_to_string(NEW."tags", ' ')), 'B')
    || coalesce(made, '');
  RETURN NEW;
END
$$;

CREATE TRIGGER "searchOfGeneration" BEFORE INSERT OR UPDATE OF "prompt", "search" ON "Generation"
  FOR EACH ROW EXECUTE FUNCTION "searchOfGeneration"();
CREATE TRIGGER "searchOfAsset" BEFORE INSERT OR UPDATE OF "title", "tags", "search" ON "Asset"
  FOR EACH ROW EXECUTE FUNCTION "searchOfAsset"();

UPDATE "Generation" SET "search" = NULL;
UPDATE "Asset" a SET "kind" = g."kind", "model" = g."model", "sampler" = g."sampler", "search" = NULL
  FROM "Generation" g WHERE g."id" = a."generationId";
