import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startEngine } from '../../src/inference/engine/engine.ts';
import { draw } from '../support/draw.ts';
import { writeRandomModel } from '../support/random-model.ts';

const models = mkdtempSync(join(tmpdir(), 'easel-catalog-'));
afterAll(() => rmSync(models, { recursive: true }));

it('a folder that takes more memory than there is to read it is unavailable, and others are drawn', async () => {
  writeRandomModel(join(models, 'random'));
  const file = join(writeRandomModel(join(models, 'large')), 'tokenizer', 'tokenizer.json');
  const small = readFileSync(file, 'utf8');
  const tokenizer = JSON.parse(small);
  for (let i = 0; i < 390_000; i++) tokenizer.model.vocab.push([`${i}`, -1]);
  writeFileSync(file, JSON.stringify(tokenizer));
  const engine = await startEngine({
    modelFolders: [models],
    provider: 'cpu',
    threads: 1,
    catalogMegabytes: 64,
  });
  const list = () => engine.models.map((model) => [model.name, model.unavailableReason]);
  const reason = 'Expected a usable model, but reading it took more than 64 MB of memory';
  expect(list()).toEqual([
    ['large', reason],
    ['random', null],
  ]);
  expect((await draw(engine)).width).toBe(64);
  await engine.listModels(); // The same folder is not tried again.
  expect(list()[0]).toEqual(['large', reason]);

  writeFileSync(file, small);
  expect((await draw(engine, { model: 'large' })).width).toBe(64);
  await engine.close();
});
