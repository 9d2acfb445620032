import { expect, test } from 'vitest';
import { BadInput } from '../src/errors.ts';

test('a refused input says path, limits and value of its problem', () => {
  const error = new BadInput({
    path: ['settings', 'steps'],
    expected: 'a whole number from 1 to 100',
    got: 101,
    min: 1,
    max: 100,
  });
  const message = 'Expected a whole number from 1 to 100 in settings.steps, but got 101';
  expect(error).toMatchObject({
    code: 'BAD_USER_INPUT',
    message,
    details: { path: ['settings', 'steps'], min: 1, max: 100, got: 101 },
  });
  expect(error.details.problems).toEqual([
    {
      path: ['settings', 'steps'],
      code: 'BAD_USER_INPUT',
      message,
      min: 1,
      max: 100,
      got: 101,
    },
  ]);
});

test('a refused input names all its problems, the first one as its own', () => {
  const error = new BadInput(
    {
      path: ['model'],
      expected: 'a usable model',
      got: 'x'.repeat(500),
      code: 'MODEL_UNAVAILABLE',
    },
    { path: [], expected: 'one of ids and all', got: { phrase: 'both' } },
  );
  expect(error.code).toBe('MODEL_UNAVAILABLE');
  expect(error.message).toBe(
    `Expected a usable model in model, but got "${'x'.repeat(100)}…"; Expected one of ids and all, but got both`,
  );
  expect(error.details.problems?.map(({ path, code }) => [path, code])).toEqual([
    [['model'], 'MODEL_UNAVAILABLE'],
    [[], 'BAD_USER_INPUT'],
  ]);
});
