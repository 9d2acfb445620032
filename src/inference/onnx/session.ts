import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { DomainError } from '../../errors.ts';
import type { ElementType, GraphBuilder } from './graph.ts';
import type { WeightData } from './weight-data.ts';

/** ONNX Runtime's execution providers that graphs are run on. */
export type ExecutionProvider = 'cpu' | 'webgpu' | 'cuda';

export type SessionOptions = {
  readonly provider: ExecutionProvider;
  /** Threads that one run computes on; 0 for as many as there are cores. */
  readonly threads: number;
  /** The weights that the graph's initializers point into. */
  readonly data?: WeightData;
  /** Keep freed memory for the next run. Off where one run's peak should be given back. */
  readonly arena?: boolean;
};

export type Tensor = {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array;
};

export type Session = {
  /** Blocks the calling thread while it computes. @throws EngineFailed, OutOfMemory, FileChanged */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
};

/** ONNX Runtime refused or failed; the cause is its own error. */
export class EngineFailed extends DomainError {
  constructor(doing: string, cause: unknown) {
    super(
      'ENGINE_FAILED',
      `Expected ${doing} to succeed, but got: ${firstLine(cause)}`,
      {},
      { cause },
    );
  }
}

export class OutOfMemory extends DomainError {
  constructor(doing: string, cause: unknown) {
    super(
      'OUT_OF_MEMORY',
      `Expected enough memory for ${doing}, but got: ${firstLine(cause)}`,
      {},
      { cause },
    );
  }
}

/**
 * Make the graphs of one network ready to run. Blocks the calling thread. Weights in memory are
 * copied, and repacked for the matrix kernels: seconds per gigabyte, for 4 to 30 % of speed. Mapped
 * ones stay in their file as they are.
 * @throws EngineFailed, OutOfMemory, FileChanged
 */
export async function createSessions<const Graphs extends readonly GraphBuilder[]>(
  graphs: Graphs,
  options: SessionOptions,
): Promise<{ [Index in keyof Graphs]: Session }> {
  const { data } = options;
  data?.checkUnchanged();
  const files = data === undefined || data.isMapped ? [] : await data.readAll();
  const sessions: Session[] = [];
  try {
    for (const graph of graphs) sessions.push(await createSession(graph, options, files));
    data?.checkMapped();
  } catch (error) {
    for (const session of sessions) await session.release();
    throw error;
  }
  return sessions as { [Index in keyof Graphs]: Session };
}

async function createSession(
  graph: GraphBuilder,
  { provider, threads, data, arena = true }: SessionOptions,
  files: readonly { path: string; data: Uint8Array }[],
): Promise<Session> {
  const isMapped = data?.isMapped ?? false;
  const session = await ort.InferenceSession.create(graph.encode(), {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    // Fatal only: failures are thrown with the runtime's message, and need not be printed too.
    logSeverityLevel: 4,
    enableCpuMemArena: arena,
    enableMemPattern: arena,
    interOpNumThreads: 1,
    ...(threads > 0 && { intraOpNumThreads: threads }),
    extra: {
      session: {
        // Idle threads must not spin: the API answers on the same cores.
        intra_op: { allow_spinning: '0' },
        disable_prepacking: isMapped ? '1' : '0',
        ...(isMapped && { model_external_initializers_file_folder_path: graph.root }),
      },
    },
    ...(files.length > 0 && { externalData: files }),
  }).catch((cause: unknown) => {
    throw nativeFault('loading a network', cause);
  });
  return {
    async run(feeds) {
      data?.checkUnchanged();
      const inputs: Record<string, ort.Tensor> = {};
      const results: Record<string, Tensor> = {};
      try {
        for (const [name, { type, data, dims }] of Object.entries(feeds)) {
          inputs[name] = new ort.Tensor(type, data, dims);
        }
        const outputs = await session.run(inputs);
        for (const [name, output] of Object.entries(outputs)) {
          results[name] = {
            type: output.type as ElementType,
            dims: output.dims,
            data: output.data as Tensor['data'],
          };
          output.dispose();
        }
      } catch (cause) {
        throw nativeFault('running a network', cause);
      } finally {
        for (const input of Object.values(inputs)) input.dispose();
      }
      return results;
    },
    release: () => session.release(),
  };
}

/** For example `onnxruntime-node 1.30.0`. */
export function runtimeVersion(): string {
  return `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`;
}

/** Providers that are compiled in or installed; whether they work here, only a run shows. */
export function listProviders(): ExecutionProvider[] {
  const backends = ort
    .listSupportedBackends()
    .filter(({ bundled, name }) => bundled || hasLibrary(name));
  return (['cuda', 'webgpu', 'cpu'] as const).filter((provider) =>
    backends.some(({ name }) => name === provider),
  );
}

/** Providers that do not come inside the package are libraries that its own script fetches. */
function hasLibrary(provider: string): boolean {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const folder = join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
  const name = `onnxruntime_providers_${provider}`;
  return existsSync(join(folder, process.platform === 'win32' ? `${name}.dll` : `lib${name}.so`));
}

function nativeFault(doing: string, cause: unknown): DomainError {
  return /bad.?alloc|out of memory|failed to allocate|cannot allocate/i.test(String(cause))
    ? new OutOfMemory(doing, cause)
    : new EngineFailed(doing, cause);
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0]!.slice(0, 300);
}
