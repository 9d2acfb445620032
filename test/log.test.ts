import { afterEach, expect, test, vi } from 'vitest';
import { StartError } from '../src/errors.ts';
import { printable, printableJson } from '../src/printable.ts';
import { createLog } from '../src/server/log.ts';

afterEach(() => vi.restoreAllMocks());

/** A name that clears a terminal, writes backwards and makes up a line of its own. */
const hostile = 'a\u001b[2Jb\u202ec\u009bd\n12:00:00 e\u007f\u2028';

test('control characters are shown, and never obeyed', () => {
  expect(printable(hostile)).toBe('a\\u{1b}[2Jb\\u{202e}c\\u{9b}d\\u{a}12:00:00 e\\u{7f}\\u{2028}');
  expect(printable('a\nb\r', { isMultiline: true })).toBe('a\nb\\u{d}');
  expect(printable('Größe 漢字 👩‍🎨')).toBe('Größe 漢字 👩‍🎨');
  expect(new StartError(hostile).message).toBe(printable(hostile));
  const line = `${JSON.stringify({ msg: hostile })}\n`;
  expect(printableJson(line)).toMatch(/^[\x20-\x7e]+\n$/);
  expect(JSON.parse(printableJson(line))).toEqual({ msg: hostile });
});

test('at a terminal every entry is one line, but for stack traces', () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const log = createLog('info', { isTerminal: true });
  log.warn({ folder: hostile }, hostile);
  log.error({ err: new Error(hostile) }, 'failed');
  const [first, second] = written.mock.calls.map(([text]) => String(text));
  expect(first).toMatch(/^\d\d:\d\d:\d\d warn [\x20-\x7e]+\n$/);
  expect(second!.replaceAll('\n', '')).toMatch(/^[\x20-\x7e]+$/);
});

test('of an error its name, message, code, stack and causes are logged, and nothing that it carries along', () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const refused = Object.assign(new Error('violates a constraint', { cause: new Error('inner') }), {
    code: '23514',
    detail: 'Failing row contains (a secret prompt)',
    meta: { parameters: ['a secret prompt'] },
  });
  createLog('info', { isTerminal: true }).error({ err: refused, code: 7 }, 'masked');
  const text = written.mock.calls.map(([line]) => String(line)).join('');
  expect(text).toContain('violates a constraint');
  expect(text).not.toContain('secret');
});
