-- AlterTable
ALTER TABLE "Generation" ADD COLUMN "settings" JSONB;

-- The settings that the rows have had as columns.
UPDATE "Generation" SET "settings" = jsonb_build_object(
  'prompt', "prompt",
  'negativePrompt', "negativePrompt",
  'cleanCaption', "cleanCaption",
  'model', "model",
  'width', "width",
  'height', "height",
  'exactSize', "exactSize",
  'steps', "steps",
  'guidanceScale', "guidanceScale",
  'guidanceStart', "guidanceStart",
  'guidanceEnd', "guidanceEnd",
  'sampler', "sampler",
  'seed', "seed",
  'count', "count"
);

-- AlterTable
ALTER TABLE "Generation" ALTER COLUMN "settings" SET NOT NULL,
DROP COLUMN "negativePrompt",
DROP COLUMN "cleanCaption",
DROP COLUMN "exactSize",
DROP COLUMN "guidanceScale",
DROP COLUMN "guidanceStart",
DROP COLUMN "guidanceEnd";
