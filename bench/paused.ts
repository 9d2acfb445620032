import { follow, generate, promptNumber, Viewer, withFrames } from './client.ts';
import type { Benchmark } from './figure.ts';
import { median, percentile } from './figure.ts';
import { type Server, withServer } from './server.ts';

/** Frames of about 5 kB, so that what is not read soon fills what the system keeps for a socket. */
const preview = ', preview: { everyMs: 0, maxSize: 256, format: JPEG }';
const frames = { preview, fields: withFrames };

/** A viewer who does not read, over 1,000 progress events, beside one who does. */
export const paused: Benchmark = {
  title: 'A viewer whose socket is paused over 1,000 progress events',
  async run({ isQuick }) {
    const rounds = isQuick ? 1 : 2;
    const shape = isQuick ? { steps: 10, count: 1 } : { steps: 100, count: 5 };
    const generations = isQuick ? 1 : 2;
    const without: Run[] = [];
    const beside: Run[] = [];
    await withServer(async (server) => {
      const run = (isPaused: boolean) => watch(server, { ...shape, generations, isPaused });
      await watch(server, { steps: 20, count: 1, generations: 1, isPaused: true }); // Warm.
      for (let round = 0; round < rounds; round++) {
        // Who goes first changes: what drifts meanwhile falls on both.
        const isPausedFirst = round % 2 === 1;
        const [first, second] = [await run(isPausedFirst), await run(!isPausedFirst)];
        without.push(isPausedFirst ? second : first);
        beside.push(isPausedFirst ? first : second);
      }
    });
    const p95 = (run: Run) => percentile(run.delays, 0.95);
    const [all] = beside;
    return [
      {
        what: 'live bytes that it costs the server',
        value: median(
          beside.map(({ liveBytes }, round) => (liveBytes - without[round]!.liveBytes) / 1e6),
        ),
        unit: 'MB',
        atMost: 20,
        note: 'growth over a run, with less without it',
      },
      {
        what: 'the other viewer’s frames, without it: p95',
        value: median(without.map(p95)),
        unit: 'ms',
        note: `median of ${rounds} runs of ${shape.steps * shape.count * generations} events`,
      },
      {
        what: 'the other viewer’s frames, beside it: p95',
        value: median(beside.map(p95)),
        unit: 'ms',
      },
      {
        what: 'p95 beside ÷ without',
        value: median(beside.map((run, round) => p95(run) / p95(without[round]!))),
        unit: '×',
        atMost: 1.1,
        note: 'median of the rounds’ ratios',
      },
      {
        what: 'mean beside ÷ without',
        value: median(beside.map((run, round) => mean(run.delays) / mean(without[round]!.delays))),
        unit: '×',
      },
      {
        what: 'events that it is given when it reads again',
        value: median(beside.map(({ caughtUp }) => caughtUp)),
        unit: 'events',
        note: `of ${all?.delays.length ?? 0} frames that the other one saw; every state change, and the newest frame`,
      },
    ];
  },
};

type Run = {
  /** Of each frame at the viewer who reads, in milliseconds. */
  readonly delays: readonly number[];
  /** By which the server has grown. */
  readonly liveBytes: number;
  readonly caughtUp: number;
};

type Shape = { steps: number; count: number; generations: number; isPaused: boolean };

async function watch(server: Server, { steps, count, generations, isPaused }: Shape): Promise<Run> {
  const { url } = server;
  const delays: number[] = [];
  let caughtUp = 0;
  const told: string[] = [];
  const toldSlow: string[] = [];
  let lastFrame = 0;
  let lastFrameOfSlow = 0;
  const before = await server.liveBytes();
  const document = `subscription { viewerEvents(${preview.slice(2)}) { ${withFrames} } }`;
  let succeeded = 0;
  let isThrough: () => void = () => {};
  const through = new Promise<void>((resolve) => {
    isThrough = resolve;
  });
  const slow = isPaused
    ? await Viewer.open(url, document, {}, ({ __typename, previews = [] }) => {
        caughtUp += 1;
        lastFrameOfSlow = previews.at(-1)?.step ?? lastFrameOfSlow;
        if (__typename !== 'GenerationProgress') toldSlow.push(__typename);
        if (__typename === 'GenerationSucceeded' && ++succeeded === generations) isThrough();
      })
    : null;
  slow?.pause();
  for (let n = 0; n < generations; n++) {
    const size = { width: 128, height: 128, exactSize: true };
    const queued = await generate(url, { prompt: promptNumber(n), ...size, steps, count });
    await follow(
      url,
      queued,
      ({ __typename, at, previews = [] }, receivedAt) => {
        lastFrame = previews.at(-1)?.step ?? lastFrame;
        if (previews.length > 0) delays.push(receivedAt - Date.parse(at));
        if (__typename !== 'GenerationProgress') told.push(__typename);
      },
      frames,
    );
  }
  const liveBytes = (await server.liveBytes()) - before;
  if (slow) {
    slow.resume();
    await Promise.race([through, slow.ended]);
    await slow.close();
    if (toldSlow.join() !== told.join()) {
      throw new Error(`Expected ${told.join()} in the end, but got ${toldSlow.join()}`);
    }
    if (lastFrameOfSlow !== lastFrame) {
      throw new Error(
        `Expected the frame of step ${lastFrame}, but got that of ${lastFrameOfSlow}`,
      );
    }
  }
  return { delays, liveBytes, caughtUp };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
