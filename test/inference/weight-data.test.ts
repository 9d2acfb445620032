import {
  chmodSync,
  linkSync,
  mkdtempSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openWeights } from '../../src/inference/checkpoints/weight-files.ts';
import { GraphBuilder } from '../../src/inference/onnx/graph.ts';
import { encodeSafetensors } from '../../src/inference/onnx/safetensors.ts';
import { createSessions } from '../../src/inference/onnx/session.ts';
import { openWeightData } from '../../src/inference/onnx/weight-data.ts';
import { cpu, temporaryFolder } from '../support/golden.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

describe('a network with weights that change on disk', () => {
  // More than a page, so that reading past the end of a mapped file would end the process.
  const side = 128;
  const filled = (value: number) =>
    encodeSafetensors({
      a: { shape: [side, side], data: new Float32Array(side * side).fill(value) },
    });
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });

  const changes = {
    'cut short': (file: string) => truncateSync(file, 16),
    'written over': (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
    'written over, its time set back': (file: string) => {
      const { atime, mtime } = statSync(file);
      writeFileSync(file, filled(2));
      utimesSync(file, atime, mtime);
    },
    'linked, renamed and protected': (file: string) => {
      linkSync(file, `${file}.link`);
      renameSync(file, `${file}.renamed`);
      chmodSync(`${file}.renamed`, 0o400);
    },
    'replaced by rename': (file: string) => {
      writeFileSync(`${file}.new`, filled(2));
      renameSync(`${file}.new`, file);
    },
  };
  type Change = keyof typeof changes;
  const isMapped = { mappedFrom: 0 };
  const isInMemory = { mappedFrom: Number.POSITIVE_INFINITY };

  /** Weights that are all 1, open; `run` gives the last of them. */
  async function open(options: { mappedFrom: number }) {
    const file = join(mkdtempSync(join(folder.path, 'changing-')), 'model.safetensors');
    writeFileSync(file, filled(1));
    const weights = await openWeights(dirname(file), 'model');
    const data = await openWeightData(weights, options);
    opened.push(data);
    const load = async () => {
      const graph = new GraphBuilder(weights);
      const x = graph.input('x', ['n', side]);
      const sum = graph.op('Add', [x, graph.weight('a', [side, side])]);
      graph.output('y', sum, [side, side]);
      const [session] = await createSessions([graph], { ...cpu, data });
      opened.push({ close: () => session.release() });
      return async () => {
        const zeros = new Float32Array(side);
        const { y } = await session.run({
          x: { type: 'float32', dims: [1, side], data: zeros },
        });
        return y!.data[side * side - 1];
      };
    };
    return { file, load };
  }

  it.each([
    ['mapped', 'cut short', isMapped, 'FileChanged'],
    ['mapped', 'written over', isMapped, 'FileChanged'],
    ['mapped', 'replaced by rename', isMapped, 1],
    ['mapped', 'linked, renamed and protected', isMapped, 1],
    ['in memory', 'cut short', isInMemory, 1],
    ['in memory', 'written over', isInMemory, 1],
    ['in memory', 'replaced by rename', isInMemory, 1],
  ] as const)('%s and %s after loading', async (_, what: Change, options, outcome) => {
    const { file, load } = await open(options);
    const run = await load();
    expect(await run()).toBe(1);
    changes[what](file);
    const next = await run().catch((error: Error) => error.name);
    expect(next).toBe(outcome);
  });

  it.each([
    ['mapped', 'cut short', isMapped, 'FileChanged'],
    ['mapped', 'written over, its time set back', isMapped, 'FileChanged'],
    ['mapped', 'replaced by rename', isMapped, 'FileChanged'],
    ['in memory', 'cut short', isInMemory, 'FileDamaged'],
    ['in memory', 'written over', isInMemory, 'FileChanged'],
    ['in memory', 'written over, its time set back', isInMemory, 'FileChanged'],
    ['in memory', 'replaced by rename', isInMemory, 1],
  ] as const)('%s and %s before loading', async (_, what: Change, options, outcome) => {
    const { file, load } = await open(options);
    changes[what](file);
    const loaded = await load().catch((error: Error) => error.name);
    expect(typeof loaded === 'string' ? loaded : await loaded()).toBe(outcome);
  });
});
