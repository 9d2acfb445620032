import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeRandomModel } from '../support/random-model.ts';
import { type EaselProcess, freePort, startEasel } from './easel-process.ts';
import { type Asked, ask, checkLife, type Drawn, draw, pixelsAt, Subscriber } from './viewer.ts';

/** Seeds of which it is known how their pictures look. */
const seeds = [11, 12, 13, 14, 15, 16, 17, 18];

/**
 * One data folder over many lives of the server, with a subscriber that outlives them all. What is asked for is
 * remembered, and checked after every death.
 */
export class House {
  readonly folder = mkdtempSync(join(tmpdir(), 'easel-crash-'));
  readonly dataDir = join(this.folder, 'data');
  readonly #modelsDir = join(this.folder, 'models');
  /** Pixels by seed, out of an undisturbed life. */
  readonly #pixels = new Map<number, string>();
  readonly #acknowledged = new Map<string, string>();
  readonly #checkedAssets = new Map<string, string>();
  #port = 0;
  #asked = 0;
  subscriber: Subscriber | undefined;
  server: EaselProcess | undefined;

  async build(): Promise<void> {
    writeRandomModel(join(this.#modelsDir, 'random'));
    this.#port = await freePort();
  }

  /** A life begins; it may end before it listens. */
  begin(crashAt?: string): EaselProcess {
    this.server = this.#begin(this.#port, crashAt);
    return this.server;
  }

  /** Another process on the same data folder, on a port of its own. */
  async beginElsewhere(): Promise<EaselProcess> {
    return this.#begin(await freePort());
  }

  #begin(port: number, crashAt?: string): EaselProcess {
    return startEasel({ port, dataDir: this.dataDir, modelsDir: this.#modelsDir, crashAt });
  }

  async start(crashAt?: string): Promise<EaselProcess> {
    const server = this.begin(crashAt);
    await server.listening;
    return server;
  }

  /** How the pictures look where nothing happens, and the subscriber takes its seat. */
  async learn(): Promise<void> {
    const { url } = this.server!;
    this.subscriber = await Subscriber.join(url);
    const asked = { key: 'undisturbed', seed: seeds[0]!, count: seeds.length };
    const drawn = await draw(url, asked, 60);
    for (const { seed, url: link } of drawn.images) {
      this.#pixels.set(Number(seed), await pixelsAt(link));
    }
    if (new Set(this.#pixels.values()).size !== seeds.length) {
      throw new Error(`Expected ${seeds.length} different pictures, but got ${drawn.status}`);
    }
  }

  /** A request that has not been made yet. */
  next(): Asked {
    const number = this.#asked++;
    return { key: `key-${number}`, seed: seeds[number % 7]!, count: number % 3 === 0 ? 2 : 1 };
  }

  /** Whether the server has acknowledged it before it died. */
  async request(asked: Asked): Promise<boolean> {
    try {
      const { id } = await draw(this.server!.url, asked);
      this.#acknowledge(asked, id);
      return true;
    } catch (error) {
      if (error instanceof TypeError) return false; // No answer: fetch says no more.
      throw error;
    }
  }

  /** After a death, on a living server: all that was promised is kept. */
  async verify(requests: readonly Asked[]): Promise<void> {
    const { url } = this.server!;
    for (const asked of requests) {
      const isKnown = this.#acknowledged.has(asked.key);
      const again = await draw(url, asked);
      this.#acknowledge(asked, again.id);
      if (isKnown && !again.replayed) throw new Error(`${asked.key} was acknowledged, and is new`);
    }
    for (const asked of requests) await this.#checkDrawn(asked, await draw(url, asked, 60));
    await this.subscriber!.catchUp(url);
    for (const asked of requests) {
      const id = this.#acknowledged.get(asked.key);
      const events = this.subscriber!.seen.filter(({ generationId }) => generationId === id);
      checkLife(events, asked.count);
    }
    await this.#checkFiles();
  }

  /** One generation, of which there is no doubt that it is drawn: for servers that must go on. */
  async drawOne(): Promise<void> {
    const asked = this.next();
    await this.#checkDrawn(asked, await draw(this.server!.url, asked, 60));
  }

  async tearDown(): Promise<void> {
    await this.subscriber?.leave();
    this.server?.signal('SIGKILL');
    await this.server?.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  #acknowledge({ key }: Asked, id: string): void {
    const known = this.#acknowledged.get(key) ?? id;
    if (known !== id) throw new Error(`Expected ${key} to mean ${known}, but got ${id}`);
    this.#acknowledged.set(key, id);
  }

  async #checkDrawn(asked: Asked, drawn: Drawn): Promise<void> {
    if (drawn.status !== 'SUCCEEDED' || drawn.images.length !== asked.count) {
      throw new Error(`Expected ${asked.key} to succeed, but got ${JSON.stringify(drawn)}`);
    }
    for (const { id, seed, sha256, url } of drawn.images) {
      const known = this.#checkedAssets.get(id) ?? sha256;
      if (known !== sha256) throw new Error(`Asset ${id} has changed`);
      this.#checkedAssets.set(id, sha256);
      if ((await pixelsAt(url)) !== this.#pixels.get(Number(seed))) {
        throw new Error(`Expected the pixels of seed ${seed}, but ${asked.key} has others`);
      }
    }
  }

  /** As many files as rows once nothing is under way, and nothing half-written. */
  async #checkFiles(): Promise<void> {
    const { assets } = await ask(this.server!.url, '{ assets(first: 1) { totalCount } }');
    const files = filesIn(join(this.dataDir, 'files', 'originals'));
    const unfinished = filesIn(join(this.dataDir, 'files', '.tmp'));
    if (files.length !== assets.totalCount || unfinished.length > 0) {
      const count = `${files.length} files and ${unfinished.length} unfinished ones`;
      throw new Error(`Expected ${assets.totalCount} files, one for each row, but got ${count}`);
    }
  }
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
