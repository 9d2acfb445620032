import 'reflect-metadata';
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { presetLimits } from '../services/library/limits.ts';
import { Node } from './node.ts';
import { Needs } from './scope.ts';
import { addSettingField, inputDescription, outputDescription } from './setting-fields.ts';

/** Settings that a preset may hold; seed and count belong to one request. */
const held = [
  ...(['prompt', 'negativePrompt', 'model', 'width', 'height', 'steps'] as const),
  ...(['guidanceScale', 'sampler'] as const),
];

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'The settings of a preset; null where it does not set one.',
})
export class PresetSettings {}

@InputType({ description: 'The settings of a preset. What is left out is not part of it.' })
export class PresetSettingsInput {}

for (const name of held) {
  const nullable = true;
  addSettingField(PresetSettings.prototype, name, {
    ...{ nullable, description: outputDescription(name) },
  });
  addSettingField(PresetSettingsInput.prototype, name, {
    ...{ nullable, description: inputDescription(name) },
  });
}

@Needs('READ')
@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'Settings to start from, under a name.',
})
export class Preset extends Node {
  @Field(() => String, { description: 'Name, which no other preset of the viewer has.' })
  name!: string;

  @Field(() => PresetSettings, { description: 'The settings.' })
  settings!: PresetSettings;
}

@InputType({ description: 'Input of `createPreset`.' })
export class CreatePresetInput {
  @Field(() => String, {
    description: `Name, ${presetLimits.name.min} to ${presetLimits.name.max} characters, at least one of them visible.`,
  })
  name!: string;

  @Field(() => PresetSettingsInput, { description: 'The settings.' })
  settings!: PresetSettingsInput;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `createPreset`.' })
export class CreatePresetPayload {
  @Field(() => Preset, { description: 'The new preset.' })
  preset!: Preset;
}

@InputType({ description: 'Input of `deletePreset`.' })
export class DeletePresetInput {
  @Field(() => ID, { description: 'Global id of the preset.' })
  id!: string;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `deletePreset`.' })
export class DeletePresetPayload {
  @Field(() => ID, { description: 'Global id of the preset that was deleted.' })
  deletedPresetId!: string;
}
