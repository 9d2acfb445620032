import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import { type Sampler, samplerNames, samplers } from '../inference/request.ts';
import { enumOf } from './enumeration.ts';

export const SamplerName = enumOf(samplerNames);
registerEnumType(SamplerName, {
  name: 'SamplerName',
  description: 'How the noise is taken away. LCM and DMD only with models distilled for them.',
  valuesConfig: Object.fromEntries(
    samplerNames.map((name) => [name, { description: describeSampler(name) }]),
  ),
});

function describeSampler(name: Sampler): string {
  const { description, steps } = samplers[name];
  const range = steps.min === steps.max ? `${steps.min}` : `${steps.min} to ${steps.max}`;
  return `${description}. Steps: ${range}.`;
}
