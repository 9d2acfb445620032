import { StartError } from '../errors.ts';
import { limits } from '../inference/request.ts';
import { readArguments } from './arguments.ts';

export const generateUsage = `Usage: npm run generate -- "a red boat on the sea at sunset" [options]

  --seed <n>       the same seed gives the same image; random where left out, or -1
  --steps <n>      ${limits.steps.min} to ${limits.steps.max}; the model's own number where left out
  --size <w>x<h>   pixels, for example 256x256; snapped to the model's nearest size
  --count <n>      images, ${limits.count.min} to ${limits.count.max}, with seeds that follow each other
  --model <name>   the default model where left out
  --out <path>     a folder, or a file that ends in .png; the current folder where left out
  --url <url>      a running Easel; where left out, the one on this machine, started if need be
  --help           this text
`;

export type GenerateArguments = {
  /** What goes into `generate(input: { settings })`; undefined takes the server's default. */
  readonly settings: {
    readonly prompt: string;
    /** Text: a whole number up to 2^53 − 1 as the API's `Seed` is written. */
    readonly seed?: string;
    readonly steps?: number;
    readonly width?: number;
    readonly height?: number;
    readonly count?: number;
    readonly model?: string;
  };
  readonly out: string | null;
  readonly url: URL | null;
};

const text = { type: 'string' } as const;
const options = {
  seed: text,
  steps: text,
  size: text,
  count: text,
  model: text,
  out: text,
  url: text,
} as const;

/** @throws StartError in one sentence */
export function parseGenerateArguments(argv: readonly string[]): GenerateArguments | 'help' {
  const line = { command: 'npm run generate', options, maxWords: Number.POSITIVE_INFINITY };
  const parsed = readArguments(joinNegative(argv), line);
  if (parsed === 'help') return 'help';
  const { values, words } = parsed;
  const prompt = words.join(' ').trim();
  if (prompt === '') {
    throw new StartError('Expected a prompt, for example: npm run generate -- "a red boat"');
  }
  const { min, max } = limits.seed;
  // -1 is a random seed in other programs.
  const seed = values.seed === '-1' ? undefined : whole('seed', values.seed, { min, max });
  return {
    settings: {
      prompt,
      seed: seed === undefined ? undefined : String(seed),
      steps: whole('steps', values.steps, limits.steps),
      count: whole('count', values.count, limits.count),
      ...size(values.size),
      model: values.model,
    },
    out: out(values.out),
    url: url(values.url),
  };
}

/** `--seed -1` as `--seed=-1`: the number would else be taken for an option. */
function joinNegative(argv: readonly string[]): string[] {
  const at = argv.findIndex((one, i) => one === '--seed' && /^-\d+$/.test(argv[i + 1] ?? ''));
  return at < 0
    ? [...argv]
    : [...argv.slice(0, at), `--seed=${argv[at + 1]}`, ...argv.slice(at + 2)];
}

function whole(
  name: string,
  value: string | undefined,
  { min, max }: { min: number; max: number },
): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  const or = name === 'seed' ? ' (or -1, or left out, for a random one)' : '';
  throw new StartError(
    `Expected --${name} to be a whole number from ${min} to ${max}${or}, but got "${value}"`,
  );
}

function size(value: string | undefined) {
  if (value === undefined) return {};
  const { min, max } = limits.size;
  const [, width, height] = /^(\d{1,5})[x×](\d{1,5})$/i.exec(value) ?? [];
  const isInside = (side: string | undefined) => Number(side) >= min && Number(side) <= max;
  if (isInside(width) && isInside(height)) return { width: Number(width), height: Number(height) };
  throw new StartError(
    `Expected --size to be <width>x<height> with sides from ${min} to ${max}, but got "${value}"`,
  );
}

function out(value: string | undefined): string | null {
  if (value === undefined) return null;
  if (/\.(jpe?g|webp|avif|gif|tiff?)$/i.test(value)) {
    throw new StartError(`Expected --out to be a folder or a .png file, but got "${value}"`);
  }
  return value;
}

function url(value: string | undefined): URL | null {
  if (value === undefined) return null;
  const parsed = URL.canParse(value) ? new URL(value) : null;
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed;
  throw new StartError(`Expected --url to begin with http:// or https://, but got "${value}"`);
}
