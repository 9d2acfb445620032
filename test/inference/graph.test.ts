import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import proto from 'onnx-proto';
import { afterAll, describe, expect, it } from 'vitest';
import { openWeights } from '../../src/inference/checkpoints/weight-files.ts';
import { t5Graph } from '../../src/inference/networks/text-encoder.graph.ts';
import {
  conditioningGraph,
  denoisingGraph,
  modulationGraph,
} from '../../src/inference/networks/transformer.graph.ts';
import { decoderGraph } from '../../src/inference/networks/vae.graph.ts';
import { dtypes } from '../../src/inference/onnx/dtype.ts';
import { defaultPlan, GraphBuilder } from '../../src/inference/onnx/graph.ts';
import { encodeSafetensors, type TensorEntry } from '../../src/inference/onnx/safetensors.ts';
import { createSessions, listProviders, runtimeVersion } from '../../src/inference/onnx/session.ts';
import { openWeightData } from '../../src/inference/onnx/weight-data.ts';
import { type Weights, weightsOf } from '../../src/inference/onnx/weights.ts';
import { cpu, temporaryFolder } from '../support/golden.ts';
import { t5Shapes, transformerShapes, vaeShapes } from '../support/network-shapes.ts';

const { onnx } = proto;

/** Weights of a file that does not exist: to build a graph, the positions of its tensors are enough. */
function weightsWithoutFile(
  shapes: Record<string, readonly number[]>,
  dtype: 'F32' | 'F16' = 'F32',
) {
  const entries = new Map<string, TensorEntry>();
  let offset = 68_104;
  for (const [name, shape] of Object.entries(shapes)) {
    const length = (shape.reduce((a, b) => a * b, 1) * dtypes[dtype].bits) / 8;
    entries.set(name, { dtype, shape, file: '/models/weights.safetensors', offset, length });
    offset += length;
  }
  return weightsOf(entries, [
    { path: '/models/weights.safetensors', version: '', dataVersion: '' },
  ]);
}

function expectInPlace(graph: GraphBuilder, weights: Weights) {
  const bytes = graph.encode();
  expect(bytes.length).toBeLessThan(2_000_000);
  const { initializer } = onnx.ModelProto.decode(bytes).graph!;
  const end = Math.max(
    ...weights.names().map((name) => weights.entry(name).offset + weights.entry(name).length),
  );
  let external = 0;
  for (const tensor of initializer!) {
    expect(tensor.rawData?.length ?? 0).toBeLessThanOrEqual(4096);
    expect(tensor.floatData ?? []).toHaveLength(0);
    const place = Object.fromEntries((tensor.externalData ?? []).map((e) => [e.key, e.value]));
    if (place['location'] === undefined) continue;
    external++;
    expect(place['location']).toBe('weights.safetensors');
    expect(Number(place['offset']) + Number(place['length'])).toBeLessThanOrEqual(end);
  }
  return external;
}

describe('a graph', () => {
  const folder = temporaryFolder();
  afterAll(folder.remove);

  it('of the whole PixArt-Σ XL/2 contains no weights', () => {
    const compression = { sampling: 'conv', scaleFactor: 2, layers: [14, 20, 27] } as const;
    const shapes = transformerShapes({
      width: 1152,
      layers: 28,
      caption: 4096,
      kvCompress: compression,
    });
    const weights = weightsWithoutFile(shapes);
    // 610,856,096 of the released network, and 8,064 for each layer with compression.
    expect(weights.parameters).toBe(610_856_096 + 3 * 8064);
    const config = {
      layers: 28,
      heads: 16,
      headDim: 72,
      captionChannels: 4096,
      channels: 4,
      outChannels: 8,
      patchSize: 2,
      normEpsilon: 1e-6,
      className: null,
      sampleSize: 128,
      interpolationScale: 2,
      microConditions: false,
      compression,
    };
    for (const attention of ['fused', 'composed'] as const) {
      const external = expectInPlace(
        denoisingGraph(weights, config, { ...defaultPlan, attention }),
        weights,
      );
      // 8 self-attention, 4 cross-attention and 4 MLP tensors a block; patches; 4 × 2 output ranges.
      expect(external).toBe(28 * 16 + 3 * 4 + 2 + 8);
    }
    expectInPlace(conditioningGraph(weights, config, defaultPlan), weights);
    expectInPlace(modulationGraph(weights, config, defaultPlan), weights);
  });

  it('of the whole T5 v1.1 XXL contains no weights', () => {
    const shapes = t5Shapes({
      width: 4096,
      inner: 4096,
      hidden: 10_240,
      heads: 64,
      layers: 24,
      vocabulary: 32_128,
    });
    const weights = weightsWithoutFile(shapes, 'F16');
    expect(weights.parameters).toBe(4_762_310_656);
    const config = {
      layers: 24,
      heads: 64,
      headDim: 64,
      width: 4096,
      hidden: 10_240,
      epsilon: 1e-6,
      buckets: 32,
      maxDistance: 128,
    };
    expectInPlace(t5Graph(weights, config, { from: 0, to: 24, plan: defaultPlan }), weights);
  });

  it("of SDXL's whole decoder contains no weights", () => {
    const channels = [128, 256, 512, 512];
    const weights = weightsWithoutFile(vaeShapes({ channels, layersPerBlock: 2 }));
    expect(weights.parameters).toBe(83_653_863);
    expect(weights.names()).toHaveLength(248);
    const config = {
      channels,
      layersPerBlock: 2,
      groups: 32,
      imageChannels: 3,
      latentChannels: 4,
      className: null,
      sampleSize: 1024,
      scalingFactor: 0.13025,
    };
    expectInPlace(decoderGraph(weights, config, defaultPlan), weights);
  });

  it('refuses inline constants of more than four kilobytes', () => {
    const graph = new GraphBuilder();
    expect(() => graph.floats(new Array(1025).fill(0))).toThrow(/^Expected at most 4096 bytes/);
  });

  it('reads weights at unaligned offsets, through links, by rows and in another shape', async () => {
    // As in a Hugging Face cache: snapshots/1/model.safetensors → blobs/<hash>.
    const store = join(folder.path, 'blobs');
    const snapshot = join(folder.path, 'snapshots', '1');
    mkdirSync(store);
    mkdirSync(snapshot, { recursive: true });
    const whole = encodeSafetensors({
      a: { shape: [3, 2], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
    });
    // One more space in the header: nothing after it is aligned.
    const odd = Buffer.concat([
      whole.subarray(0, 8),
      Buffer.from(whole.subarray(8, -24)),
      Buffer.from(' '),
      whole.subarray(-24),
    ]);
    odd.writeBigUInt64LE(BigInt(whole.length - 8 - 24 + 1));
    writeFileSync(join(store, 'c0ffee'), odd);
    symlinkSync(join(store, 'c0ffee'), join(snapshot, 'model.safetensors'));

    const weights = await openWeights(snapshot, 'model');
    const data = await openWeightData(weights);
    const graph = new GraphBuilder(weights);
    const x = graph.input('x', ['n', 2]);
    const rows = graph.weight('a', [3, 2], { rows: { start: 1, count: 2 } }); // [[3, 4], [5, 6]]
    graph.output('y', graph.op('MatMul', [x, rows]), ['n', 2]);
    graph.output('z', graph.op('Add', [x, graph.weight('a', [3, 2], { as: [3, 1, 2] })]), [
      3,
      'n',
      2,
    ]);
    const [session] = await createSessions([graph], { ...cpu, data });
    const { y, z } = await session.run({
      x: { type: 'float32', dims: [1, 2], data: new Float32Array([1, 10]) },
    });
    expect(y).toEqual({ type: 'float32', dims: [1, 2], data: new Float32Array([53, 64]) });
    expect(z!.dims).toEqual([3, 1, 2]);
    expect(z!.data).toEqual(new Float32Array([2, 12, 4, 14, 6, 16]));
    await session.release();
    await data.close();
  });

  it('with an unknown operator is refused, with ONNX Runtime’s error as the cause', async () => {
    const graph = new GraphBuilder();
    graph.output('y', graph.op('NoSuchOp', [graph.input('x', [1])]), [1]);
    await expect(createSessions([graph], cpu)).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(/^Expected loading a network to succeed, but got: .*NoSuchOp/),
      cause: expect.anything(),
    });
  });

  it('run on wrong shapes fails with a code, and can be run again', async () => {
    const graph = new GraphBuilder();
    const [a, b] = [graph.input('a', ['n', 'm']), graph.input('b', ['m', 'k'])];
    graph.output('y', graph.op('MatMul', [a, b]), ['n', 'k']);
    const [session] = await createSessions([graph], cpu);
    const tensor = (...dims: [number, number]) => ({
      type: 'float32' as const,
      dims,
      data: new Float32Array(dims[0] * dims[1]).fill(1),
    });
    const run = (b: ReturnType<typeof tensor>) => session.run({ a: tensor(2, 3), b });
    await expect(run(tensor(4, 2))).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    expect((await run(tensor(3, 1))).y!.data).toEqual(new Float32Array([3, 3]));
    await session.release();
  });

  it('that needs more memory than there is fails with OUT_OF_MEMORY', async () => {
    const graph = new GraphBuilder();
    const shape = graph.input('shape', [2], 'int64');
    graph.output('y', graph.op('Expand', [graph.floats([1]), shape]), ['n', 'm']);
    const [session] = await createSessions([graph], cpu);
    const side = 2n ** 24n;
    await expect(
      session.run({ shape: { type: 'int64', dims: [2], data: new BigInt64Array([side, side]) } }),
    ).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    await session.release();
  });
});

describe('the runtime', () => {
  it('reports its version and its providers', () => {
    expect(runtimeVersion()).toMatch(/^onnxruntime-node \d+\.\d+\.\d+/);
    expect(listProviders()).toContain('cpu');
  });
});
