-- AlterTable
ALTER TABLE "Generation" ADD COLUMN     "maskId" UUID;

-- CreateIndex
CREATE INDEX "Generation_maskId_idx" ON "Generation"("maskId");

-- AddForeignKey
ALTER TABLE "Generation" ADD CONSTRAINT "Generation_maskId_fkey" FOREIGN KEY ("maskId") REFERENCES "Asset"("id") ON DELETE SET NULL ON UPDATE CASCADE;
