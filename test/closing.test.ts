import { spawnSync } from 'node:child_process';
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

// Only the superuser may make a namespace of processes, and not in every container.
const canIsolate = spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status === 0;

test.skipIf(!canIsolate)('process 1 of a container can end itself at once', () => {
  const app = new URL('../dist/app.js', import.meta.url).href;
  const program = `const { end } = await import('${app}'); setTimeout(() => console.log('alive'), 1000); end();`;
  const node = `ulimit -c 0; exec ${process.execPath} --input-type=module -e "${program}"`;
  const args = ['-pf', '--mount-proc', 'sh', '-c', node];
  const { signal, stdout } = spawnSync('unshare', args, { encoding: 'utf8', timeout: 30_000 });
  expect(stdout).toBe('');
  expect(signal).toBe('SIGSEGV'); // How abort() ends a process that no signal of its own can end.
});
