import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AttentionForm } from '../../src/inference/networks/layers.ts';
import { relativeBuckets, t5Graph } from '../../src/inference/networks/text-encoder.graph.ts';
import { loadTextEncoder } from '../../src/inference/networks/text-encoder.ts';
import { encodeSafetensors } from '../../src/inference/onnx/safetensors.ts';
import { createSession } from '../../src/inference/onnx/session.ts';
import { openWeights } from '../../src/inference/onnx/weights.ts';
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
      // The reference padded to 20 ids; its rows of real tokens are the same.
      expect(data[0]).toBeCloseTo(-0.950501, 5);
      expect(data[1]).toBeCloseTo(1.275423, 5);
      expect(data[4 * 16 + 15]).toBeCloseTo(0.909111, 5);
    },
  );

  it('equals the reference on padded ids too, padding masked by one bucket more', async () => {
    const padded = [...ids, ...Array<number>(15).fill(0)];
    const bias = 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight';
    const { shape, data } = tensors[bias]!;
    const masked = {
      ...tensors,
      [bias]: {
        dtype: 'F32' as const,
        shape: [33, shape[1]!],
        data: Float32Array.from([...data, ...Array<number>(shape[1]!).fill(-1e9)]),
      },
    };
    const written = writeNetwork(join(folder.path, 'masked'), config, masked, 'model');
    const weights = await openWeights(written, 'model');
    const network = {
      layers: 2,
      heads: 3,
      headDim: 4,
      width: 16,
      hidden: 24,
      epsilon: 1e-6,
      buckets: 33,
      maxDistance: 128,
    };
    const graph = t5Graph(weights, network, { from: 0, to: 2, form: 'composed' });
    const session = await createSession(graph, cpu);
    const buckets = relativeBuckets(20, { buckets: 32, maxDistance: 128 }).map((bucket, pair) =>
      pair % 20 < ids.length ? bucket : 32,
    );
    const { encoded } = await session.run({
      hidden: {
        type: 'float32',
        dims: [20, 16],
        data: await weights.readRows('shared.weight', padded),
      },
      buckets: { type: 'int32', dims: [20, 20], data: buckets },
    });
    await session.release();
    const o = encoded!.data as Float32Array;
    expect(o[7 * 16 + 3]).toBeCloseTo(-0.911307, 5);
    expect(o[19 * 16 + 8]).toBeCloseTo(1.191287, 5);
    expect(o.reduce((sum, value) => sum + value, 0)).toBeCloseTo(29.723, 3);
    expect(o.reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(276.45022, 3);
  });

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
