import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AttentionForm } from '../../src/inference/networks/layers.ts';
import { relativeBuckets } from '../../src/inference/networks/t5.ts';
import { encodeSafetensors } from '../../src/inference/onnx/safetensors.ts';
import { loadTextEncoder } from '../../src/inference/text-encoder.ts';
import {
  fill,
  relativeError,
  roundTo,
  t5Rule,
  temporaryFolder,
  writeConfig,
  writeNetwork,
} from '../support/golden.ts';
import { t5Shapes } from '../support/random-model.ts';

const cpu = { provider: 'cpu', threads: 1 } as const;
const config = {
  d_model: 16,
  d_kv: 4,
  d_ff: 24,
  num_heads: 3,
  num_layers: 2,
  layer_norm_epsilon: 1e-6,
  feed_forward_proj: 'gated-gelu',
  relative_attention_num_buckets: 32,
  relative_attention_max_distance: 128,
  // Stands in the official configuration, and means nothing for an encoder.
  tie_word_embeddings: false,
};
const tensors = fill(
  t5Shapes({ width: 16, inner: 12, hidden: 24, heads: 3, layers: 2, vocabulary: 50 }),
  t5Rule,
);
const ids = [5, 9, 33, 2, 1];

describe('the text encoder', () => {
  const folder = temporaryFolder();
  const path = writeNetwork(join(folder.path, 'whole'), config, tensors, 'model');
  afterAll(folder.remove);

  it.each(['fused', 'composed'] satisfies AttentionForm[])(
    'equals the reference on unpadded ids, %s',
    async (attention) => {
      const encoder = await loadTextEncoder(path, { ...cpu, attention });
      const { data, tokens } = await encoder.encode(ids);
      await encoder.release();
      expect(tokens).toBe(5);
      expect(data).toHaveLength(5 * 16);
      // The reference padded to 20 ids; its rows of real tokens are these.
      expect(data[0]).toBeCloseTo(-0.950501, 5);
      expect(data[1]).toBeCloseTo(1.275423, 5);
      expect(data[4 * 16 + 15]).toBeCloseTo(0.909111, 5);
    },
  );

  it('gives the same whether its layers run together or one by one', async () => {
    const together = await loadTextEncoder(path, cpu);
    const oneByOne = await loadTextEncoder(path, { ...cpu, layersPerRun: 1 });
    const a = await together.encode(ids);
    const b = await oneByOne.encode(Int32Array.from(ids));
    expect(b.data).toEqual(a.data);
    await together.release();
    await oneByOne.release();
  });

  it('asks between groups of layers whether to go on', async () => {
    const encoder = await loadTextEncoder(path, { ...cpu, layersPerRun: 1 });
    let asked = 0;
    const stop = new Error('stop');
    const encoding = encoder.encode(ids, async () => {
      asked++;
      if (asked === 2) throw stop;
    });
    await expect(encoding).rejects.toBe(stop);
    expect(asked).toBe(2);
    await encoder.release();
  });

  it('reads shards, one per layer', async () => {
    const sharded = join(folder.path, 'sharded');
    writeConfig(sharded, config);
    const shardOf = (name: string) =>
      name.startsWith('encoder.block.1') ? 'model-00002-of-00002' : 'model-00001-of-00002';
    for (const shard of ['model-00001-of-00002', 'model-00002-of-00002']) {
      const own = Object.entries(tensors).filter(([name]) => shardOf(name) === shard);
      writeFileSync(
        join(sharded, `${shard}.safetensors`),
        encodeSafetensors(Object.fromEntries(own)),
      );
    }
    const map = Object.keys(tensors).map((name) => [name, `${shardOf(name)}.safetensors`]);
    writeFileSync(
      join(sharded, 'model.safetensors.index.json'),
      JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }),
    );
    const encoder = await loadTextEncoder(sharded, cpu);
    const { data } = await encoder.encode(ids);
    await encoder.release();
    expect(data[4 * 16 + 15]).toBeCloseTo(0.909111, 5);
  });

  it.each(['F16', 'BF16', 'F64'] as const)(
    'computes in single precision on %s weights',
    async (dtype) => {
      const encode = async (name: string, stored: typeof tensors) => {
        const written = writeNetwork(join(folder.path, name), config, stored, 'model');
        const encoder = await loadTextEncoder(written, cpu);
        const { data } = await encoder.encode(ids);
        await encoder.release();
        return { data, dtype: encoder.dtype };
      };
      const stored = Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, dtype }]);
      const narrow = await encode(dtype, Object.fromEntries(stored));
      const wide = await encode(`${dtype}-rounded`, roundTo(dtype, tensors));
      expect(narrow.dtype).toBe(dtype);
      expect(relativeError(narrow.data, wide.data)).toBeLessThan(1e-6);
    },
  );

  it('refuses an id beyond its vocabulary', async () => {
    const encoder = await loadTextEncoder(path, cpu);
    await expect(encoder.encode([50])).rejects.toThrow(/row 50, but got 50 rows/);
    await encoder.release();
  });

  it('refuses a feed-forward that T5 v1.1 does not have', async () => {
    const relu = writeNetwork(
      join(folder.path, 'relu'),
      { ...config, feed_forward_proj: 'relu' },
      tensors,
      'model',
    );
    await expect(loadTextEncoder(relu, cpu)).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
  });
});

describe('relative position buckets', () => {
  const table = relativeBuckets(200, { buckets: 32, maxDistance: 128 });

  it.each([
    [0, 0],
    [7, 7],
    [8, 8],
    [11, 8],
    [12, 9],
    [16, 10],
    [23, 11],
    [32, 12],
    [46, 13],
    [64, 14],
    [90, 14],
    [91, 15],
    [199, 15],
  ])('put a distance of %i into bucket %i', (distance, bucket) => {
    expect(table[distance * 200]).toBe(bucket); // the key lies behind the query
    if (distance > 0) expect(table[distance]).toBe(16 + bucket); // ahead of it
  });
});
