import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import { type Sampler, samplerSteps, samplers } from '../inference/request.ts';
import { describe, enumOf } from './enumeration.ts';

export const SamplerName = enumOf(samplers);
registerEnumType(SamplerName, {
  name: 'SamplerName',
  description: 'How the noise is taken away. LCM and DMD only with models distilled for them.',
  valuesConfig: describe<Sampler>({
    DPMPP_2M: `DPM-Solver++(2M): good pictures in about 20 steps, at most ${samplerSteps.DPMPP_2M.max}.`,
    LCM: `Latent consistency: a few steps, at most ${samplerSteps.LCM.max}.`,
    DMD: 'Distribution matching: one step.',
  }),
});
