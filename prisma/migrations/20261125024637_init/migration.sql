-- CreateEnum
CREATE TYPE "UserRole" AS ENUM ('ADMIN', 'MEMBER');

-- CreateEnum
CREATE TYPE "GenerationKind" AS ENUM ('TEXT_TO_IMAGE', 'IMAGE_TO_IMAGE', 'INPAINT');

-- CreateEnum
CREATE TYPE "GenerationStatus" AS ENUM ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED');

-- CreateEnum
CREATE TYPE "AssetOrigin" AS ENUM ('GENERATED', 'UPLOADED');

-- CreateEnum
CREATE TYPE "AssetRole" AS ENUM ('IMAGE', 'MASK');

-- CreateEnum
CREATE TYPE "ImageFormat" AS ENUM ('PNG', 'JPEG', 'WEBP', 'AVIF');

-- CreateTable
CREATE TABLE "Installation" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "linkSecret" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Installation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "User" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "role" "UserRole" NOT NULL DEFAULT 'MEMBER',
    "eventCounter" BIGINT NOT NULL DEFAULT 0,
    "servedAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Project" (
    "id" UUID NOT NULL,
    "ownerId" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "defaultOf" UUID,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "trashedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Project_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Generation" (
    "id" UUID NOT NULL,
    "ownerId" UUID NOT NULL,
    "projectId" UUID NOT NULL,
    "kind" "GenerationKind" NOT NULL DEFAULT 'TEXT_TO_IMAGE',
    "status" "GenerationStatus" NOT NULL DEFAULT 'QUEUED',
    "prompt" TEXT NOT NULL,
    "negativePrompt" TEXT NOT NULL,
    "cleanCaption" BOOLEAN NOT NULL,
    "model" TEXT NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "exactSize" BOOLEAN NOT NULL,
    "steps" INTEGER NOT NULL,
    "guidanceScale" DOUBLE PRECISION NOT NULL,
    "guidanceStart" DOUBLE PRECISION NOT NULL,
    "guidanceEnd" DOUBLE PRECISION NOT NULL,
    "sampler" TEXT NOT NULL,
    "seed" BIGINT NOT NULL,
    "count" INTEGER NOT NULL,
    "priority" INTEGER NOT NULL DEFAULT 1,
    "clientReference" TEXT,
    "idempotencyKey" TEXT,
    "inputSha256" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "startedAt" TIMESTAMPTZ(3),
    "finishedAt" TIMESTAMPTZ(3),
    "trashedAt" TIMESTAMPTZ(3),
    "stage" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "runnerId" UUID,
    "leaseUntil" TIMESTAMPTZ(3),
    "failureCode" TEXT,
    "failureMessage" TEXT,
    "provenance" JSONB,
    "timings" JSONB NOT NULL DEFAULT '[]',

    CONSTRAINT "Generation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Asset" (
    "id" UUID NOT NULL,
    "ownerId" UUID NOT NULL,
    "projectId" UUID NOT NULL,
    "generationId" UUID,
    "index" INTEGER,
    "origin" "AssetOrigin" NOT NULL DEFAULT 'GENERATED',
    "role" "AssetRole" NOT NULL DEFAULT 'IMAGE',
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "format" "ImageFormat" NOT NULL,
    "bytes" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "storageKey" TEXT NOT NULL,
    "placeholder" TEXT NOT NULL,
    "seed" BIGINT,
    "title" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "trashedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Asset_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Event" (
    "ownerId" UUID NOT NULL,
    "number" BIGINT NOT NULL,
    "type" TEXT NOT NULL,
    "projectId" UUID,
    "generationId" UUID,
    "assetId" UUID,
    "payload" JSONB NOT NULL DEFAULT '{}',
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Event_pkey" PRIMARY KEY ("ownerId","number")
);

-- CreateIndex
CREATE UNIQUE INDEX "User_name_key" ON "User"("name");

-- CreateIndex
CREATE UNIQUE INDEX "Project_defaultOf_key" ON "Project"("defaultOf");

-- CreateIndex
CREATE INDEX "Project_ownerId_updatedAt_id_idx" ON "Project"("ownerId", "updatedAt" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "Project_ownerId_createdAt_id_idx" ON "Project"("ownerId", "createdAt" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "Project_ownerId_name_id_idx" ON "Project"("ownerId", "name", "id");

-- CreateIndex
CREATE INDEX "Generation_ownerId_createdAt_id_idx" ON "Generation"("ownerId", "createdAt" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "Generation_projectId_createdAt_id_idx" ON "Generation"("projectId", "createdAt" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "Generation_status_priority_createdAt_id_idx" ON "Generation"("status", "priority" DESC, "createdAt", "id");

-- CreateIndex
CREATE INDEX "Generation_ownerId_clientReference_idx" ON "Generation"("ownerId", "clientReference");

-- CreateIndex
CREATE UNIQUE INDEX "Generation_ownerId_idempotencyKey_key" ON "Generation"("ownerId", "idempotencyKey");

-- CreateIndex
CREATE UNIQUE INDEX "Asset_storageKey_key" ON "Asset"("storageKey");

-- CreateIndex
CREATE INDEX "Asset_ownerId_createdAt_id_idx" ON "Asset"("ownerId", "createdAt" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "Asset_projectId_createdAt_id_idx" ON "Asset"("projectId", "createdAt" DESC, "id" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "Asset_generationId_index_key" ON "Asset"("generationId", "index");

-- CreateIndex
CREATE INDEX "Event_generationId_number_idx" ON "Event"("generationId", "number");

-- CreateIndex
CREATE INDEX "Event_projectId_number_idx" ON "Event"("projectId", "number");

-- CreateIndex
CREATE INDEX "Event_createdAt_idx" ON "Event"("createdAt");

-- AddForeignKey
ALTER TABLE "Project" ADD CONSTRAINT "Project_ownerId_fkey" FOREIGN KEY ("ownerId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Generation" ADD CONSTRAINT "Generation_ownerId_fkey" FOREIGN KEY ("ownerId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Generation" ADD CONSTRAINT "Generation_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Asset" ADD CONSTRAINT "Asset_ownerId_fkey" FOREIGN KEY ("ownerId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Asset" ADD CONSTRAINT "Asset_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Asset" ADD CONSTRAINT "Asset_generationId_fkey" FOREIGN KEY ("generationId") REFERENCES "Generation"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Event" ADD CONSTRAINT "Event_ownerId_fkey" FOREIGN KEY ("ownerId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
