import { draw, promptNumber, query } from './client.ts';
import type { Benchmark, Figure } from './figure.ts';
import { median, medianOf } from './figure.ts';
import { type PeerPicture, precisions, startPeer } from './peer.ts';
import { withServer } from './server.ts';

type Ours = {
  readonly stepMs: number;
  /** Encode, denoise, decode: what the peer does too. */
  readonly pictureMs: number;
  /** From the mutation to the event that it has succeeded: with database, PNG and disk. */
  readonly wholeMs: number;
};

const settings = { width: 256, height: 256, steps: 20 } as const;

/** The embedded model with its defaults, in turn with its peer on the same machine. */
export const picture: Benchmark = {
  title: 'One picture: easel-mini, 256 px, 20 steps with guidance',
  async run({ isQuick }) {
    const rounds = isQuick ? 2 : 8;
    const ours: Ours[] = [];
    const theirs = { fp32: [] as PeerPicture[], bf16: [] as PeerPicture[] };
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
        'one picture in the engine (encode, denoise, decode)',
        'ms',
        ours.map(({ pictureMs }) => pictureMs),
      ),
      medianOf(
        'one picture, mutation → `GenerationSucceeded`',
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
      what: 'the peer’s resident memory after its first picture, fp32',
      value: peerMemory,
      unit: 'MB',
    };
    return [...figures, ...compared, resident];
  },
};

function comparison(
  ours: readonly Ours[],
  theirs: readonly PeerPicture[],
  name: string,
): readonly Figure[] {
  const steps = theirs.map(({ stepsMs }) => median(stepsMs));
  const pictures = theirs.map(({ pictureMs }) => pictureMs);
  const ratio = (what: string, own: readonly number[], other: readonly number[]): Figure => ({
    what,
    unit: '×',
    value: median(own.map((value, round) => value / other[round]!)),
    note: 'of the peer’s time; median of the rounds’ ratios, below 1 is faster',
  });
  const stepMs = ours.map((one) => one.stepMs);
  const pictureMs = ours.map((one) => one.pictureMs);
  return [
    medianOf(`peer: one step, ${name}`, 'ms', steps),
    ratio('ratio: one step', stepMs, steps),
    medianOf(`peer: one picture, ${name.split(' ', 1)[0]}`, 'ms', pictures),
    ratio('ratio: one picture', pictureMs, pictures),
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
  const pictureMs = of('ENCODING') + of('DENOISING') + of('DECODING');
  return { stepMs: of('DENOISING') / settings.steps, pictureMs, wholeMs };
}
