/** One line of the table. */
export type Figure = {
  readonly what: string;
  readonly value: number;
  readonly unit: 'ms' | 's' | 'MB' | 'kB' | 'requests/s' | 'events' | '×';
  /** The design's number: at most this. */
  readonly atMost?: number;
  /** How it came about: how many samples, what it stands against. */
  readonly note?: string;
};

export type BenchOptions = {
  /** A few rounds only: to see that a benchmark works, not to believe what it says. */
  readonly isQuick: boolean;
};

export type Benchmark = {
  /** Stands above its figures. */
  readonly title: string;
  run(options: BenchOptions): Promise<readonly Figure[]>;
};

/** The value that the fraction `p` of the samples does not exceed (nearest rank). */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('Expected samples, but got none');
  return value;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** Median, with the number of samples and their spread beside it. */
export function medianOf(
  what: string,
  unit: Figure['unit'],
  samples: readonly number[],
  atMost?: number,
): Figure {
  const [low, high] = [percentile(samples, 0), percentile(samples, 1)].map(show);
  return {
    what,
    unit,
    atMost,
    value: median(samples),
    note: `median of ${samples.length}, ${low} to ${high}`,
  };
}

/** Three digits that count. */
export function show(value: number): string {
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
