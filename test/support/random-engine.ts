import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type Engine, startEngine } from '../../src/inference/engine/engine.ts';
import { writeRandomModel } from './random-model.ts';

/** An engine with the tiny model called `random`, for the tests of the file, or of the `describe`, that calls this. */
export function randomEngine(moreFolders: readonly string[] = []): () => Engine {
  const folder = mkdtempSync(join(tmpdir(), 'easel-engine-'));
  let engine: Engine;
  beforeAll(async () => {
    writeRandomModel(join(folder, 'random'));
    const modelFolders = [folder, ...moreFolders];
    engine = await startEngine({ modelFolders, provider: 'cpu', threads: 1 });
  });
  afterAll(async () => {
    await engine.close();
    rmSync(folder, { recursive: true });
  });
  return () => engine;
}
