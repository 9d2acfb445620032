import { join } from 'node:path';
import { z } from 'zod';
import { identityOf } from '../checkpoints/checkpoint.ts';
import { readJson } from '../checkpoints/json-file.ts';
import { FileUnreadable } from '../onnx/file.ts';
import { folderLimits } from '../onnx/limits.ts';
import { limits, samplerNames } from '../request.ts';

/** Scaled latents (as the sampler has them) to RGB in −1 to 1: `rgb[c] = bias[c] + Σ latents[k]·matrix[k][c]`. */
export type LatentRgb = {
  /** 4 rows (latent channels) of 3 (red, green, blue). */
  readonly matrix: readonly (readonly number[])[];
  readonly bias: readonly number[];
};

const sizeSchema = z.object({ width: side(), height: side() });

/** What `easel.json` may describe. Every field can be left out. */
const easelSchema = z.object({
  title: shortText().min(1).optional(),
  description: z.string().max(folderLimits.descriptionLength).optional(),
  license: shortText().optional(),
  defaults: sizeSchema
    .extend({
      steps: z.int().min(limits.steps.min).max(limits.steps.max),
      guidanceScale: z.number().min(limits.guidanceScale.min).max(limits.guidanceScale.max),
      sampler: z.enum(samplerNames),
    })
    .partial()
    .optional(),
  sizes: z.array(sizeSchema).min(1).max(folderLimits.sizes).optional(),
  latentRgb: z
    .object({
      matrix: z.array(z.array(z.number()).length(3)).length(4),
      bias: z.array(z.number()).length(3).default([0, 0, 0]),
    })
    .optional(),
  vocabulary: z.array(z.string().max(folderLimits.wordLength)).max(folderLimits.words).optional(),
  maxPromptTokens: z.int().min(2).max(4096).optional(),
  /** Name of the folder that has the parts missing here: beside this one, or another among the models. */
  parts: z
    .string()
    .regex(/^[\w-][\w.-]*$/, 'expected the name of a folder beside this one')
    .optional(),
});

export type EaselFile = z.output<typeof easelSchema>;

/** Empty where there is no such file. @throws FileUnreadable, FileDamaged */
export async function readEaselFile(
  folder: string,
): Promise<{ easel: EaselFile; identity: string }> {
  try {
    const { value, stamp } = await readJson(join(folder, 'easel.json'), easelSchema);
    return { easel: value, identity: identityOf([stamp.version]) };
  } catch (error) {
    if (error instanceof FileUnreadable && error.isMissing) return { easel: {}, identity: '' };
    throw error;
  }
}

function shortText() {
  return z.string().max(folderLimits.titleLength);
}

function side() {
  return z.int().min(limits.size.min).max(limits.size.max).multipleOf(limits.sizeMultiple);
}
