import { type ParseArgsConfig, parseArgs } from 'node:util';
import { clipped, StartError } from '../errors.ts';

type ParseArgsOptionsConfig = NonNullable<ParseArgsConfig['options']>;

export type CommandLine<Options extends ParseArgsOptionsConfig> = {
  /** As it is typed, for example `npm run doctor`. */
  readonly command: string;
  readonly options: Options;
  /** How many words may follow that are no options. */
  readonly maxWords: number;
};

/**
 * The options and words of a command, or `help` where it was asked for: then the command prints its usage.
 * @throws StartError in one sentence that names the command's help
 */
export function readArguments<const Options extends ParseArgsOptionsConfig>(
  argv: readonly string[],
  { command, options, maxWords }: CommandLine<Options>,
) {
  const { values, positionals } = parse(argv, { command, options });
  if ('help' in values && values.help === true) return 'help';
  const [surplus] = positionals.slice(maxWords);
  if (surplus !== undefined) {
    const expected =
      maxWords === 0 ? 'no words' : `at most ${maxWords} word${maxWords > 1 ? 's' : ''}`;
    throw refused(command, `Expected ${expected} after ${command}, but got "${clipped(surplus)}"`);
  }
  return { values, words: positionals };
}

function parse<const Options extends ParseArgsOptionsConfig>(
  argv: readonly string[],
  { command, options }: { command: string; options: Options },
) {
  const help = { help: { type: 'boolean', short: 'h' } } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: { ...options, ...help },
      allowPositionals: true,
    });
  } catch (cause) {
    // Node's first sentence says what is wrong, the others how to pass it all the same.
    const [reason = ''] = cause instanceof Error ? cause.message.split(/\.\s/, 1) : [];
    const [, option] = /^Unknown option '([^']*)'/.exec(reason) ?? [];
    throw refused(
      command,
      option === undefined
        ? reason
        : `Expected an option of ${command}, but got "${clipped(option)}"`,
      cause,
    );
  }
}

function refused(command: string, sentence: string, cause?: unknown): StartError {
  return new StartError(`${sentence}: see ${command} -- --help`, { cause });
}
