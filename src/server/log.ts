import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Config } from '../config.ts';
import { printable, printableJson } from '../printable.ts';

export type Log = Logger;

/**
 * One line of JSON for each entry; for people at a terminal a short text. To standard output; an error of writing to
 * it goes to `process.stdout`, whatever wrote.
 */
export function createLog(level: Config['logLevel'], { isTerminal }: { isTerminal: boolean }): Log {
  const formatters = { level: (label: string) => ({ level: label }) };
  const serializers = { err: (error: unknown) => told(error) };
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters,
    serializers,
  };
  if (isTerminal) return pino(options, textual);
  const lines = pino.destination({ sync: true });
  lines.on('error', (error: Error) => process.stdout.emit('error', error));
  return pino(options, { write: (line: string) => lines.write(printableJson(line)) });
}

type Told = {
  readonly type: string;
  readonly message: string;
  readonly code?: string | undefined;
  readonly stack?: string | undefined;
  readonly cause?: Told | undefined;
};

/**
 * What the log says of an error. Its other properties stay out: a database's error carries the row that it refused, with its
 * prompt, and that of a URL the URL, with its password.
 */
function told(error: unknown, depth = 0): Told {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  return {
    type: name,
    message,
    stack,
    code: code === undefined ? undefined : String(code),
    cause: cause === undefined || depth === maxCauses ? undefined : told(cause, depth + 1),
  };
}

const maxCauses = 5;

/** `12:00:00 warn message (key value, …)` */
const textual: DestinationStream = {
  write(line) {
    const { level, time, msg, err, ...fields } = JSON.parse(line);
    const name = level === 'info' ? '' : `${level} `;
    const rest = Object.entries(fields).map(([key, value]) => `${key} ${shown(value)}`);
    const tail = rest.length === 0 ? '' : ` (${rest.join(', ')})`;
    const trace = err?.stack ? `\n${printable(err.stack, { isMultiline: true })}` : '';
    const text = printable(`${String(time).slice(11, 19)} ${name}${msg}${tail}`);
    process.stdout.write(`${text}${trace}\n`);
  },
};

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
