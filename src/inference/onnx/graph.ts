import { relative } from 'node:path';
import proto from 'onnx-proto';
import { dtypes, isFloatDtype } from './dtype.ts';
import { countElements } from './safetensors.ts';
import { TensorMismatch, type Weights } from './weights.ts';

const { onnx } = proto;

/** The name of a tensor inside a graph. */
export type Value = string;

export type ElementType = 'float32' | 'int32' | 'int64';

/** Numbers are integers, but for `{ float: 1 }`. */
export type Attributes = Record<string, number | readonly number[] | string | { float: number }>;

const elementTypes = { float32: 1, int32: 6, int64: 7 } as const satisfies Record<
  ElementType,
  number
>;

/** How a network is computed: choices that leave its results the same. */
export type Plan = {
  readonly attention: AttentionForm;
  /** Of the arithmetic, whatever precision the weights are stored in. */
  readonly precision: 'F32';
};

export type AttentionForm =
  /** `com.microsoft.MultiHeadAttention`: 3.5 times as fast on a CPU, and never holds all scores. */
  | 'fused'
  /** MatMul → Softmax → MatMul: for providers whose fused kernel fails the self-test. */
  | 'composed';

export const defaultPlan: Plan = { attention: 'fused', precision: 'F32' };

/** LayerNormalization is part of the standard from 17 on. */
const opset = 17;
/** What `onnx-proto` 8 knows. */
const irVersion = 8;
/** A graph contains few numbers of its own: weights stay in their files. */
const maxInlineBytes = 4096;

/**
 * An ONNX graph, written op by op. Weights become initializers that point into their
 * `.safetensors` files by offset and length: nothing is copied, and the graph stays small.
 *
 * @example
 * const graph = new GraphBuilder(weights, plan);
 * const x = graph.input('x', ['tokens', 16]);
 * const y = graph.op('Gemm', [x, graph.weight('to_q.weight', [16, 16])], { transB: 1 });
 * graph.output('y', y, ['tokens', 16]);
 */
export class GraphBuilder {
  /** The folder that weights are read from; empty where the graph has none. */
  readonly root: string;
  readonly plan: Plan;
  readonly #weights: Weights | undefined;
  readonly #nodes: InstanceType<typeof onnx.NodeProto>[] = [];
  readonly #initializers = new Map<string, InstanceType<typeof onnx.TensorProto>>();
  readonly #inputs: InstanceType<typeof onnx.ValueInfoProto>[] = [];
  readonly #outputs: InstanceType<typeof onnx.ValueInfoProto>[] = [];
  readonly #casts = new Map<string, Value>();

  constructor(weights?: Weights, plan: Plan = defaultPlan) {
    this.#weights = weights;
    this.plan = plan;
    this.root = weights?.root ?? '';
  }

  /** `dims` that are known at run time only are names. */
  input(name: string, dims: readonly (number | string)[], type: ElementType = 'float32'): Value {
    this.#inputs.push(valueInfo(name, dims, type));
    return name;
  }

  output(name: string, value: Value, dims: readonly (number | string)[]): void {
    this.#nodes.push(onnx.NodeProto.create({ opType: 'Identity', input: [value], output: [name] }));
    this.#outputs.push(valueInfo(name, dims, 'float32'));
  }

  /** An op with one result. Inputs left out are `null`. */
  op(type: string, inputs: readonly (Value | null)[], attributes: Attributes = {}): Value {
    return this.#node('', type, inputs, attributes, 1)[0]!;
  }

  /** An op of ONNX Runtime's own (`com.microsoft`). */
  microsoft(type: string, inputs: readonly (Value | null)[], attributes: Attributes = {}): Value {
    return this.#node('com.microsoft', type, inputs, attributes, 1)[0]!;
  }

  /** Equal parts along an axis. */
  split(value: Value, parts: number, axis: number): Value[] {
    return this.#node('', 'Split', [value], { axis }, parts);
  }

  floats(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.#inline('float32', new Float32Array(values), dims);
  }

  ints(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.#inline('int64', new BigInt64Array(values.map(BigInt)), dims);
  }

  /**
   * A tensor of the weights, in single precision (cast in the graph where the file has another).
   * `rows` takes a range of the first axis; `as` gives the same bytes another shape.
   *
   * @throws TensorMismatch where the file's shape is not the expected one; DomainError (MODEL_UNAVAILABLE)
   */
  weight(
    name: string,
    expected: readonly number[],
    { rows, as }: { rows?: { start: number; count: number }; as?: readonly number[] } = {},
  ): Value {
    if (this.#weights === undefined) throw new TypeError(`Expected weights for ${name}`);
    const { dtype, shape, file, offset, length } = this.#weights.entry(name, expected);
    if (shape.length !== expected.length || shape.some((side, axis) => side !== expected[axis])) {
      throw new TensorMismatch(name, `[${expected.join(', ')}]`, `[${shape.join(', ')}]`);
    }
    if (!isFloatDtype(dtype)) throw new TensorMismatch(name, 'floating-point numbers', dtype);
    const rowBytes = (length / (shape[0] || 1)) * (rows === undefined ? 0 : 1);
    const stored = rows === undefined ? shape : [rows.count, ...shape.slice(1)];
    const dims = as ?? stored;
    const key = `${name}${rows === undefined ? '' : `:${rows.start}+${rows.count}`}[${dims}]`;
    if (!this.#initializers.has(key)) {
      const range = {
        location: relative(this.root, file),
        offset: String(offset + rowBytes * (rows?.start ?? 0)),
        length: String(rows === undefined ? length : rowBytes * rows.count),
      };
      this.#initializers.set(
        key,
        onnx.TensorProto.create({
          name: key,
          dims: [...dims],
          dataType: dtypes[dtype].onnx,
          dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
          externalData: Object.entries(range).map(([key, value]) => ({ key, value })),
        }),
      );
      const cast = dtype === 'F32' ? key : this.op('Cast', [key], { to: elementTypes.float32 });
      this.#casts.set(key, cast);
    }
    return this.#casts.get(key)!;
  }

  /** The graph as an ONNX model file. */
  encode(): Uint8Array {
    return onnx.ModelProto.encode({
      irVersion,
      producerName: 'easel',
      opsetImport: [
        { domain: '', version: opset },
        { domain: 'com.microsoft', version: 1 },
      ],
      graph: {
        name: 'network',
        node: this.#nodes,
        initializer: [...this.#initializers.values()],
        input: this.#inputs,
        output: this.#outputs,
      },
    }).finish();
  }

  #node(
    domain: string,
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Attributes,
    outputs: number,
  ): Value[] {
    const name = `${opType}_${this.#nodes.length}`;
    const output = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}_${i}`));
    this.#nodes.push(
      onnx.NodeProto.create({
        name,
        domain,
        opType,
        input: inputs.map((input) => input ?? ''),
        output,
        attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      }),
    );
    return output;
  }

  #inline(type: ElementType, values: Float32Array | BigInt64Array, dims: readonly number[]): Value {
    if (values.byteLength > maxInlineBytes || values.length !== countElements(dims)) {
      throw new RangeError(
        `Expected at most ${maxInlineBytes} bytes in [${dims.join(', ')}], but got ${values.byteLength}`,
      );
    }
    const name = `${type}(${values.join(',')})[${dims}]`;
    if (!this.#initializers.has(name)) {
      this.#initializers.set(
        name,
        onnx.TensorProto.create({
          name,
          dims: [...dims],
          dataType: elementTypes[type],
          rawData: new Uint8Array(values.buffer),
        }),
      );
    }
    return name;
  }
}

function valueInfo(name: string, dims: readonly (number | string)[], type: ElementType) {
  return onnx.ValueInfoProto.create({
    name,
    type: {
      tensorType: {
        elemType: elementTypes[type],
        shape: {
          dim: dims.map((side) =>
            typeof side === 'number' ? { dimValue: side } : { dimParam: side },
          ),
        },
      },
    },
  });
}

function attribute(name: string, value: Attributes[string]) {
  const { INT, INTS, STRING, FLOAT } = onnx.AttributeProto.AttributeType;
  if (typeof value === 'number') return { name, type: INT, i: value };
  if (typeof value === 'string') return { name, type: STRING, s: Buffer.from(value) };
  if ('float' in value) return { name, type: FLOAT, f: value.float };
  return { name, type: INTS, ints: [...value] };
}
