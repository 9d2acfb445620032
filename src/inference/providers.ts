import { existsSync } from 'node:fs';
import { DomainError, StartError } from '../errors.ts';
import { type AttentionForm, defaultPlan, type Plan } from './onnx/graph.ts';
import { type ExecutionProvider, listProviders } from './onnx/session.ts';
import type { Provider } from './request.ts';
import { type SelfTest, type TrialName, withSelfTest } from './self-test.ts';

/** The configured execution provider is not installed, or computes wrong results. The message says which and why. */
export class ProviderUnavailable extends StartError {
  constructor(provider: Provider, reason: string, options?: ErrorOptions) {
    super(`Expected the execution provider ${provider} to work here, but ${reason}`, options);
  }
}

/** Where networks run, and how each of them is computed there. */
export type ProviderChoice = {
  readonly provider: ExecutionProvider;
  readonly plans: Readonly<Record<'textEncoder' | 'transformer' | 'vae', Plan>>;
};

/** The runtime's own install script; `ignore-scripts` keeps it from running with `npm install`. */
const fetchCuda = 'node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install';

/** Relative error: above what single precision and TF32 differ by, far below what is visible. */
const tolerance = 3e-3;

const onCpu: ProviderChoice = {
  provider: 'cpu',
  plans: { textEncoder: defaultPlan, transformer: defaultPlan, vae: defaultPlan },
};

/**
 * Tests the provider before it is used: tiny networks must give the results of the CPU. Where fused
 * attention fails and the composed form passes, the composed form is used.
 * `auto`: the first of CUDA and WebGPU that passes and is faster than the CPU; else the CPU.
 * @throws ProviderUnavailable where the configured one is missing or wrong
 */
export async function chooseProvider(asked: Provider, threads: number): Promise<ProviderChoice> {
  if (asked === 'cpu') return onCpu;
  if (asked !== 'auto') {
    if (!listProviders().includes(asked)) {
      const hint = asked === 'cuda' ? ` (for Linux on x64, \`${fetchCuda}\` fetches it)` : '';
      throw new ProviderUnavailable(
        asked,
        `its library is not installed for ${process.platform} on ${process.arch}${hint}`,
      );
    }
    return withSelfTest(threads, (test) => tryProvider(asked, test));
  }
  const candidates = listProviders().filter((name) => name !== 'cpu');
  if (candidates.length === 0 || !mayHaveGpu()) return onCpu;
  return withSelfTest(threads, async (test) => {
    for (const candidate of candidates) {
      const choice = await tryProvider(candidate, test).catch((error: unknown) => {
        if (error instanceof ProviderUnavailable) return null;
        throw error;
      });
      // A software renderer passes the test too, but is slower than the CPU itself.
      if (choice !== null && (await test.beatsCpu(candidate))) return choice;
    }
    return onCpu;
  });
}

async function tryProvider(provider: ExecutionProvider, test: SelfTest): Promise<ProviderChoice> {
  const plan = async (network: TrialName): Promise<Plan> => ({
    ...defaultPlan,
    attention: await rightForm(network, provider, test),
  });
  await plan('the caption projection');
  await plan('the timestep embedding');
  return {
    provider,
    plans: {
      textEncoder: await plan('the text encoder'),
      transformer: await plan('the transformer'),
      vae: await plan('the autoencoder'),
    },
  };
}

/** Fused where its results are those of the CPU, else composed. */
async function rightForm(
  network: TrialName,
  provider: ExecutionProvider,
  test: SelfTest,
): Promise<AttentionForm> {
  let problem = '';
  for (const attention of ['fused', 'composed'] as const) {
    try {
      const error = await test.error(network, provider, attention);
      if (error <= tolerance) return attention;
      problem = `${network} differs by ${(100 * error).toPrecision(2)} % from the CPU`;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      problem = `${network} fails: ${reasonOf(error)}`;
    }
  }
  throw new ProviderUnavailable(provider, problem);
}

/** The runtime's message, without the source position that it begins with. */
function reasonOf(error: DomainError): string {
  const cause = error.cause instanceof Error ? error.cause.message : error.message;
  const line = cause.split('\n', 1)[0]!;
  return line.replace(/^\/\S+ .*? was false\. /, '').slice(0, 200);
}

/**
 * Without a GPU device the test is skipped: it takes time, and the graphics loader prints errors on
 * the terminal. Only on Linux can the absence be told from the file system.
 */
function mayHaveGpu(): boolean {
  if (process.platform !== 'linux') return true;
  return ['/dev/dri', '/dev/nvidiactl', '/dev/dxg'].some((device) => existsSync(device));
}
