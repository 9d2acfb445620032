import { expect, test } from 'vitest';
import { createClosing } from '../src/roles/closing.ts';

test('closes in the reverse order of opening, once, and says whether all ended in time', async () => {
  const closed: string[] = [];
  const closing = createClosing();
  closing.push(async () => void closed.push('database'));
  closing.push((left) => {
    closed.push('engine');
    return left() > 0 ? false : undefined;
  });
  closing.push(() => closed.push('server'));
  const both = [closing.closeAll(1_000), closing.closeAll(1_000)];
  expect(await Promise.all(both)).toEqual([false, false]);
  expect(closed).toEqual(['server', 'engine', 'database']);
});

test('closes the others where one part throws, then throws the first error', async () => {
  const closed: string[] = [];
  const closing = createClosing();
  closing.push(() => void closed.push('database'));
  closing.push(() => Promise.reject(new Error('the engine failed')));
  closing.push(() => {
    throw new Error('the server failed');
  });
  await expect(closing.closeAll(1_000)).rejects.toThrow('the server failed');
  expect(closed).toEqual(['database']);
});
