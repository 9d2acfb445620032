import { cancelGeneration, draw, follow, generate, promptNumber } from './client.ts';
import type { Benchmark, Figure } from './figure.ts';
import { percentile } from './figure.ts';
import { type Answered, type Load, load, type Operation } from './load.ts';
import { withServer } from './server.ts';

const connections = 20;
const rate = 40;

/** How long queries take, idle and while the engine computes on all cores; client and server share them. */
export const api: Benchmark = {
  title: 'API over HTTP, 20 connections on loopback',
  async run({ isQuick }) {
    const seconds = isQuick ? 1 : 4;
    const rounds = isQuick ? 1 : 2;
    const paced = { connections, seconds, requestsPerSecond: rate };
    const unpaced = { connections, seconds, requestsPerSecond: null };
    const answers = { idle: [] as Answered[], busy: [] as Answered[] };
    const bursts = { idle: [] as Answered[], busy: [] as Answered[] };
    await withServer(async ({ url }) => {
      const operations = await prepare(url);
      const measure = async (state: 'idle' | 'busy', how: Load) =>
        (how === paced ? answers : bursts)[state].push(...(await load(url, operations, how)));
      await load(url, operations, { ...unpaced, seconds: 1 }); // Warm.
      for (let round = 0; round < rounds; round++) {
        await measure('idle', paced);
        await measure('idle', unpaced);
        await whileGenerating(url, async () => {
          await measure('busy', paced);
          await measure('busy', unpaced);
        });
      }
    });
    const total = seconds * rounds;
    return [
      ...latencies(`idle, ${rate} requests/s`, answers.idle),
      ...latencies(`while generating, ${rate} requests/s`, answers.busy, 20),
      throughput('idle, as fast as it goes', bursts.idle, total),
      throughput('while generating, as fast as it goes', bursts.busy, total),
    ];
  },
};

/** A history of 24 small images, and the two queries that a page sends most. */
async function prepare(url: string): Promise<Operation[]> {
  const small = { width: 64, height: 64, exactSize: true, steps: 1, count: 8 };
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) {
    const count = n < 4 ? 2 : 1;
    ids.push(await draw(url, { prompt: promptNumber(n), ...small, count }));
  }
  return [
    {
      name: 'one generation',
      query:
        'query ($id: ID!) { generation(id: $id) { status eventCursor settings { prompt seed } images { id url } } }',
      variables: { id: ids[0] },
    },
    {
      name: 'history page of 20',
      query:
        '{ generations(first: 20) { nodes { id status createdAt settings { prompt seed } images { id url width height } } pageInfo { hasNextPage endCursor } } }',
      variables: {},
    },
  ];
}

/** A long generation at 256 px is under way meanwhile. */
async function whileGenerating(url: string, work: () => Promise<void>): Promise<void> {
  const queued = await generate(url, { prompt: promptNumber(99), steps: 100, count: 8 });
  let steps = 0;
  let isUnderWay: () => void = () => {};
  const underWay = new Promise<void>((resolve) => {
    isUnderWay = resolve;
  });
  const ended = follow(url, queued, ({ step = 0 }) => {
    steps = step;
    if (steps > 0) isUnderWay();
  }).then(
    () => true,
    () => false, // Cancelled below, as it should be.
  );
  await underWay;
  await work();
  await cancelGeneration(url, queued.id);
  if (await ended) throw new Error('Expected the engine to be busy all along, but it had finished');
}

function latencies(state: string, answers: readonly Answered[], atMost?: number): Figure[] {
  const names = [...new Set(answers.map(({ name }) => name))];
  return names.flatMap((name) => {
    const times = answers.filter((answer) => answer.name === name).map((one) => one.milliseconds);
    return [
      { what: `${name}, ${state}: p50`, value: percentile(times, 0.5), unit: 'ms' },
      {
        what: `${name}, ${state}: p99`,
        value: percentile(times, 0.99),
        unit: 'ms',
        atMost,
        note: `${times.length} requests`,
      },
    ] satisfies Figure[];
  });
}

function throughput(state: string, answers: readonly Answered[], seconds: number): Figure {
  const times = answers.map(({ milliseconds }) => milliseconds);
  return {
    what: `both in turn, ${state}`,
    value: answers.length / seconds,
    unit: 'requests/s',
    note: `p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
  };
}
