import { expect, test } from 'vitest';
import type { ModelDescription } from '../../src/inference/request.ts';
import { settingsProblems } from '../../src/services/generations/settings.ts';

test('the refusal of an unknown model names some of those there are, on one line of printable text', () => {
  const models = Array.from({ length: 30 }, (_, i) => ({ name: `model ${i}\n\u202e` }));
  const [problem] = settingsProblems(
    { prompt: 'a boat', model: 'none' },
    { models: models as unknown as ModelDescription[], defaultModel: 'none' },
  );
  expect(problem).toMatchObject({ path: ['settings', 'model'], got: 'none' });
  expect(problem!.expected).toMatch(/^one of model 0[\x20-\x7e]+ or 20 others \(see `models`\)$/);
});
