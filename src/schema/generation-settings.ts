import 'reflect-metadata';
import { ObjectType } from 'type-graphql';
import { settingNames } from '../inference/request.ts';
import { Needs } from './scope.ts';
import { addSettingField, outputDescription } from './setting-fields.ts';

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'The settings of a generation, complete: every default is filled in.',
})
export class GenerationSettings {}

// `model` is an object here, which the resolver finds by its name.
for (const name of settingNames.filter((one) => one !== 'model')) {
  const nullable = name === 'negativePrompt';
  addSettingField(GenerationSettings.prototype, name, {
    nullable,
    description: outputDescription(name),
  });
}
