/** Where a command writes: a terminal, a pipe, or a test's list. */
export type Output = {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
};

const barWidth = 24;
const clearLine = '\r\x1b[2K';

/** One line that is rewritten in a terminal, and a line for each new text anywhere else. */
export class ProgressBar {
  readonly #output: Output;
  #last = '';
  #isDrawn = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** `fraction` 0 to 1. */
  show(fraction: number, text: string): void {
    if (!this.#output.isTTY) {
      if (text !== this.#last) this.#output.write(`${text}\n`);
      this.#last = text;
      return;
    }
    const done = Math.round(Math.min(1, Math.max(0, fraction)) * barWidth);
    const bar = '█'.repeat(done) + '░'.repeat(barWidth - done);
    const line = `${bar} ${String(Math.round(fraction * 100)).padStart(3)} %  ${text}`;
    this.#output.write(clearLine + line.slice(0, (this.#output.columns ?? 80) - 1));
    this.#isDrawn = true;
  }

  /** Makes room for other lines. */
  clear(): void {
    if (this.#isDrawn) this.#output.write(clearLine);
    this.#isDrawn = false;
  }
}
