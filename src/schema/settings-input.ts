import 'reflect-metadata';
import { InputType } from 'type-graphql';
import { fixedDefault, settingNames, standardOf } from '../inference/request.ts';
import { addSettingField, inputDescription } from './setting-fields.ts';

@InputType({
  description:
    'Everything that the pixels of the images depend on. What is left out, or null, has the default.',
})
export class SettingsInput {}

for (const name of settingNames) {
  const nullable = fixedDefault(name) !== undefined || standardOf(name) !== undefined;
  addSettingField(SettingsInput.prototype, name, { nullable, description: inputDescription(name) });
}
