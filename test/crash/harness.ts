import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
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
  readonly #fileSha256 = new Map<string, string>();
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

  /** Once nothing is under way: a file for each row and a row for each file, and nothing half-written. */
  async #checkFiles(): Promise<void> {
    const folder = join(this.dataDir, 'files', 'originals');
    const files = filesIn(folder).map((name) => this.#sha256Of(join(folder, name)));
    const rows = await allAssets(this.server!.url);
    const unfinished = filesIn(join(this.dataDir, 'files', '.tmp'));
    if (files.sort().join() !== rows.sort().join() || unfinished.length > 0) {
      const count = `${files.length} files and ${unfinished.length} unfinished ones`;
      throw new Error(`Expected the files of ${rows.length} rows, but got ${count}`);
    }
  }

  /** Read once: what was written is never written again, and what its row says is checked on its own. */
  #sha256Of(path: string): string {
    const known = this.#fileSha256.get(path);
    if (known !== undefined) return known;
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    this.#fileSha256.set(path, sha256);
    return sha256;
  }
}

/** Their SHA-256, as the rows say. */
async function allAssets(url: string): Promise<string[]> {
  const query = `query ($after: Cursor) {
    assets(first: 100, after: $after) { nodes { sha256 } pageInfo { hasNextPage endCursor } }
  }`;
  const found: string[] = [];
  for (let after: string | null = null; ; ) {
    const { assets } = await ask(url, query, { after });
    found.push(...assets.nodes.map(({ sha256 }: { sha256: string }) => sha256));
    if (!assets.pageInfo.hasNextPage) return found;
    after = assets.pageInfo.endCursor;
  }
}

/** Paths below the folder. */
function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
}
