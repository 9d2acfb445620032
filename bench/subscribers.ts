import { setTimeout as delay } from 'node:timers/promises';
import { draw, promptNumber, query, Viewer, withFrames } from './client.ts';
import type { Benchmark } from './figure.ts';
import { median } from './figure.ts';
import { type Server, withServer } from './server.ts';

const document = `subscription ($id: ID!) { projectEvents(projectId: $id) { ${withFrames} } }`;

/** Each on a WebSocket of its own, watching a project in which nothing happens. */
export const subscribers: Benchmark = {
  title: '1,000 idle subscribers',
  async run({ isQuick }) {
    const count = isQuick ? 100 : 1_000;
    const rounds = isQuick ? 1 : 2;
    const images = isQuick ? 1 : 4;
    const alone: Cost[] = [];
    const among: Cost[] = [];
    let liveBytes = 0;
    let residentMB = 0;
    let idleCpu = 0;
    await withServer(async (server) => {
      const { url } = server;
      const answer = await query<{ createProject: { project: { id: string } } }>(
        url,
        'mutation { createProject(input: { name: "Quiet" }) { project { id } } }',
      );
      const { id } = answer.createProject.project;
      const gather = () => open(server, id, count);
      await leave(await open(server, id, 50)); // Warm.
      await costOf(server, 1);
      for (let round = 0; round < rounds; round++) {
        alone.push(await costOf(server, images));
        const before = { live: await server.liveBytes(), resident: server.memory().resident };
        const viewers = await gather();
        if (round === 0) {
          liveBytes = (await server.liveBytes()) - before.live;
          residentMB = server.memory().resident - before.resident;
          idleCpu = await idleShare(server, isQuick ? 1 : 5);
        }
        among.push(await costOf(server, images));
        await leave(viewers);
      }
    });
    const ratio = (field: keyof Cost) =>
      median(among.map((cost, round) => cost[field] / alone[round]![field]));
    const note = `${rounds} × ${images} images with and without, in turn`;
    return [
      {
        what: 'one subscriber: live bytes after a collection',
        value: liveBytes / count / 1000,
        unit: 'kB',
        atMost: 50,
      },
      {
        what: 'one subscriber: resident memory',
        value: (residentMB * 1000) / count,
        unit: 'kB',
        note: `${residentMB.toFixed(1)} MB for ${count}`,
      },
      {
        what: 'all of them: processor time while nothing happens',
        value: idleCpu * 1000,
        unit: 'ms',
        note: 'of a second',
      },
      { what: 'an image’s time, with ÷ without them', value: ratio('ms'), unit: '×', note },
      {
        what: 'the server’s processor time for it, with ÷ without them',
        value: ratio('cpuSeconds'),
        unit: '×',
        note,
      },
    ];
  },
};

type Cost = { readonly ms: number; readonly cpuSeconds: number };

/** Of one image elsewhere. */
async function costOf(server: Server, images: number): Promise<Cost> {
  const [startedAt, cpuBefore] = [performance.now(), server.cpuSeconds()];
  for (let n = 0; n < images; n++) {
    await draw(server.url, { prompt: promptNumber(n), width: 256, height: 256, steps: 20 });
  }
  return {
    ms: (performance.now() - startedAt) / images,
    cpuSeconds: (server.cpuSeconds() - cpuBefore) / images,
  };
}

async function idleShare(server: Server, seconds: number): Promise<number> {
  const before = server.cpuSeconds();
  await delay(seconds * 1000);
  return (server.cpuSeconds() - before) / seconds;
}

/** What was asked of the server is done: nothing says so to a viewer of something idle. */
async function settled(server: Server): Promise<void> {
  for (let second = 0; second < 60; second++) {
    if ((await idleShare(server, 1)) < 0.1) return;
  }
}

async function open(server: Server, id: string, count: number): Promise<Viewer[]> {
  const { url } = server;
  const viewers: Viewer[] = [];
  for (let n = 0; n < count; n += 20) {
    const some = Array.from({ length: 20 }, () => Viewer.open(url, document, { id }));
    viewers.push(...(await Promise.all(some)));
  }
  await settled(server); // All are subscribed, not only connected.
  return viewers;
}

async function leave(viewers: readonly Viewer[]): Promise<void> {
  await Promise.all(viewers.map((viewer) => viewer.close()));
}
