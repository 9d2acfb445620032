import { limits, type ModelDescription } from '../../inference/request.ts';
import { toGlobalId } from '../relay/global-id.ts';

/** A model as clients see it. */
export type ModelView = Omit<ModelDescription, 'description'> & {
  readonly id: string;
  readonly description: string;
  readonly isDefault: boolean;
  readonly kinds: readonly ('TEXT_TO_IMAGE' | 'IMAGE_TO_IMAGE' | 'INPAINT')[];
  readonly limits: {
    readonly maxCount: number;
    readonly minSteps: number;
    readonly maxSteps: number;
    readonly minSize: number;
    readonly maxSize: number;
    readonly sizeMultiple: number;
    readonly maxGuidanceScale: number;
  } | null;
};

export type ModelList = {
  /** Damaged ones too, with their reason. */
  list(): Promise<ModelView[]>;
  /** Null where there is no such folder. */
  find(name: string): ModelView | null;
  /** The same for a model whose folder has been removed: its generations stay, and it cannot be used. */
  named(name: string): ModelView;
};

/** `models` as the engine last found them; `refresh` looks at their folders again. */
export function createModelList({
  models,
  refresh,
  defaultModel,
}: {
  models: () => readonly ModelDescription[];
  refresh: () => Promise<readonly ModelDescription[]>;
  defaultModel: string;
}): ModelList {
  const view = (model: ModelDescription): ModelView => ({
    ...model,
    id: toGlobalId('Model', model.name),
    description: model.description ?? '',
    isDefault: model.name === defaultModel,
    kinds: model.available ? ['TEXT_TO_IMAGE', 'IMAGE_TO_IMAGE', 'INPAINT'] : [],
    limits: model.available ? modelLimits : null,
  });
  const find = (name: string) => {
    const model = models().find((candidate) => candidate.name === name);
    return model ? view(model) : null;
  };
  return {
    list: async () => (await refresh()).map(view),
    find,
    named: (name) => find(name) ?? view(gone(name)),
  };
}

const modelLimits = {
  maxCount: limits.count.max,
  minSteps: limits.steps.min,
  maxSteps: limits.steps.max,
  minSize: limits.size.min,
  maxSize: limits.size.max,
  sizeMultiple: limits.sizeMultiple,
  maxGuidanceScale: limits.guidanceScale.max,
};

function gone(name: string): ModelDescription {
  return {
    name,
    title: name,
    description: null,
    license: null,
    available: false,
    unavailableReason: `Expected a folder of the model "${name}", but there is none any more`,
    parameters: null,
    precision: null,
    maxPromptTokens: null,
    vocabulary: null,
    defaults: null,
    sizes: [],
    samplers: [],
  };
}
