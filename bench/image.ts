import { draw, promptNumber, query } from './client.ts';
import type { Benchmark, Figure } from './figure.ts';
import { median, medianOf } from './figure.ts';
import { type PeerImage, precisions, startPeer } from './peer.ts';
import { withServer } from './server.ts';

type Ours = {
  readonly stepMs: number;
  /** Encode, denoise, decode: what the peer does too. */
  readonly imageMs: number;
  /** From the mutation to the event that it has succeeded: with database, PNG and disk. */
  readonly wholeMs: number;
};

const settings = { width: 256, height: 256, steps: 20 } as const;

/** The embedded model with its defaults, in turn with its peer on the same machine. */
export const image: Benchmark = {
  title: 'One image: easel-mini, 256 px, 20 steps with guidance',
  async run({ isQuick }) {
    const rounds = isQuick ? 2 : 8;
    const ours: Ours[] = [];
    const theirs = { fp32: [] as PeerImage[], bf16: [] as PeerImage[] };
    const peer = await startPeer();
    let peerMemory = 0;
    try {
      await withServer(async ({ url }) => {
        await drawTimed(url, promptNumber(0)); // Warm: the model is loaded, code is compiled.
        if (peer) {
          await peer.draw(promptNumber(0), 0, 'fp32');
          peerMemory = await peer.memory(); // With the one model that a user would load.
          await peer.draw(promptNumber(0), 0, 'bf16');
        }
        for (let round = 1; round <= rounds; round++) {
          ours.push(await drawTimed(url, promptNumber(round)));
          for (const precision of peer ? precisions : []) {
            theirs[precision].push(await peer!.draw(promptNumber(round), round, precision));
          }
        }
      });
    } finally {
      await peer?.close();
    }
    const figures = [
      medianOf(
        'one denoising step',
        'ms',
        ours.map(({ stepMs }) => stepMs),
      ),
      medianOf(
        'one image in the engine (encode, denoise, decode)',
        'ms',
        ours.map(({ imageMs }) => imageMs),
      ),
      medianOf(
        'one image, mutation → `GenerationSucceeded`',
        's',
        ours.map(({ wholeMs }) => wholeMs / 1000),
        6,
      ),
    ];
    if (!peer) {
      process.stderr.write('No ratio to diffusers: BENCH_PYTHON names no Python that has it.\n');
      return figures;
    }
    const compared = precisions.flatMap((name) =>
      comparison(ours, theirs[name], `${name} (${peer.description})`),
    );
    const resident: Figure = {
      what: 'the peer’s resident memory after its first image, fp32',
      value: peerMemory,
      unit: 'MB',
    };
    return [...figures, ...compared, resident];
  },
};

function comparison(
  ours: readonly Ours[],
  theirs: readonly PeerImage[],
  name: string,
): readonly Figure[] {
  const steps = theirs.map(({ stepsMs }) => median(stepsMs));
  const images = theirs.map(({ imageMs }) => imageMs);
  const ratio = (what: string, own: readonly number[], other: readonly number[]): Figure => ({
    what,
    unit: '×',
    value: median(own.map((value, round) => value / other[round]!)),
    note: 'of the peer’s time; median of the rounds’ ratios, below 1 is faster',
  });
  const stepMs = ours.map((one) => one.stepMs);
  const imageMs = ours.map((one) => one.imageMs);
  return [
    medianOf(`peer: one step, ${name}`, 'ms', steps),
    ratio('ratio: one step', stepMs, steps),
    medianOf(`peer: one image, ${name.split(' ', 1)[0]}`, 'ms', images),
    ratio('ratio: one image', imageMs, images),
  ];
}

async function drawTimed(url: string, prompt: string): Promise<Ours> {
  const sentAt = performance.now();
  const id = await draw(url, { prompt, ...settings, seed: '1' });
  const wholeMs = performance.now() - sentAt;
  const { generation } = await query<{
    generation: { timings: { stage: string; milliseconds: number }[] };
  }>(url, 'query ($id: ID!) { generation(id: $id) { timings { stage milliseconds } } }', { id });
  const of = (name: string) =>
    generation.timings.find(({ stage }) => stage === name)?.milliseconds ?? Number.NaN;
  const imageMs = of('ENCODING') + of('DENOISING') + of('DECODING');
  return { stepMs: of('DENOISING') / settings.steps, imageMs, wholeMs };
}
