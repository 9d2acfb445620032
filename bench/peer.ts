import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const precisions = ['fp32', 'bf16'] as const;
export type Precision = (typeof precisions)[number];

export type PeerImage = { readonly stepsMs: readonly number[]; readonly imageMs: number };

/** diffusers with the same model folder, in a Python process of its own. */
export type Peer = {
  /** Versions, and what was done about key/value compression. */
  readonly description: string;
  draw(prompt: string, seed: number, precision: Precision): Promise<PeerImage>;
  /** Megabytes, resident. */
  memory(): Promise<number>;
  close(): Promise<void>;
};

/** Null where `BENCH_PYTHON` names no Python with torch, diffusers and transformers. */
export async function startPeer(): Promise<Peer | null> {
  const python = process.env['BENCH_PYTHON'];
  if (!python) return null;
  const script = fileURLToPath(new URL('peer.py', import.meta.url));
  const model = fileURLToPath(new URL('../models/easel-mini', import.meta.url));
  const child = spawn(python, [script, model], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async <Answer>() => {
    const { value, done } = await lines.next();
    if (done) throw new Error('Expected an answer of the peer, but it ended');
    return JSON.parse(value) as Answer;
  };
  const ask = <Answer>(job: object) => {
    child.stdin.write(`${JSON.stringify(job)}\n`);
    return read<Answer>();
  };
  const { description } = await read<{ description: string }>();
  return {
    description,
    draw: (prompt, seed, precision) => ask({ prompt, seed, precision }),
    memory: async () => (await ask<{ residentMB: number }>({ memory: true })).residentMB,
    async close() {
      child.stdin.end();
      await exit;
    },
  };
}
