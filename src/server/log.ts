import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Config } from '../config.ts';

export type Log = Logger;

/**
 * One line of JSON for each entry; for people at a terminal a short text. To standard output; an error of writing to
 * it goes to `process.stdout`, whatever wrote.
 */
export function createLog(level: Config['logLevel'], { isTerminal }: { isTerminal: boolean }): Log {
  const formatters = { level: (label: string) => ({ level: label }) };
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters };
  if (isTerminal) return pino(options, textual);
  const lines = pino.destination({ sync: true });
  lines.on('error', (error: Error) => process.stdout.emit('error', error));
  return pino(options, lines);
}

/** `12:00:00 warn message (key value, …)` */
const textual: DestinationStream = {
  write(line) {
    const { level, time, msg, err, ...fields } = JSON.parse(line);
    const name = level === 'info' ? '' : `${level} `;
    const rest = Object.entries(fields).map(([key, value]) => `${key} ${shown(value)}`);
    const tail = rest.length === 0 ? '' : ` (${rest.join(', ')})`;
    const trace = err?.stack ? `\n${err.stack}` : '';
    process.stdout.write(`${String(time).slice(11, 19)} ${name}${msg}${tail}${trace}\n`);
  },
};

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
