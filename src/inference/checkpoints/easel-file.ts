import { z } from 'zod';
import { limits, samplerNames } from '../request.ts';

const sizeSchema = z.object({ width: side(), height: side() });
/** What a folder may say about itself, in `easel.json`. Everything in it can be left out. */
export const easelSchema = z.object({
  title: z.string().min(1).optional(),
  description: z.string().optional(),
  license: z.string().optional(),
  defaults: sizeSchema
    .extend({
      steps: z.int().min(limits.steps.min).max(limits.steps.max),
      guidanceScale: z.number().min(limits.guidanceScale.min).max(limits.guidanceScale.max),
      sampler: z.enum(samplerNames),
    })
    .partial()
    .optional(),
  sizes: z.array(sizeSchema).min(1).optional(),
  latentRgb: z
    .object({
      matrix: z.array(z.array(z.number()).length(3)).length(4),
      bias: z.array(z.number()).length(3).default([0, 0, 0]),
    })
    .optional(),
  vocabulary: z.array(z.string()).optional(),
  maxPromptTokens: z.int().min(2).max(4096).optional(),
  /** Name of a folder beside this one that has the parts missing here. */
  parts: z
    .string()
    .regex(/^[\w-][\w.-]*$/, 'expected the name of a folder beside this one')
    .optional(),
});

function side() {
  return z.int().min(limits.size.min).max(limits.size.max).multipleOf(limits.sizeMultiple);
}
