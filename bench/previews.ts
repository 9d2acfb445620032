import { follow, generate, promptNumber, withFrames } from './client.ts';
import type { Benchmark } from './figure.ts';
import { medianOf, percentile } from './figure.ts';
import { withServer } from './server.ts';

/** One viewer that wants every frame, in the latent's own size. */
export const previews: Benchmark = {
  title: 'Previews: easel-mini, 256 px, every step, over a WebSocket on loopback',
  async run({ isQuick }) {
    const first: number[] = [];
    const delays: number[] = [];
    const bytes: number[] = [];
    await withServer(async ({ url }) => {
      const images = isQuick ? 2 : 13;
      for (let n = 0; n < images; n++) {
        const sentAt = Date.now();
        let firstAt: number | null = null;
        const queued = await generate(url, { prompt: promptNumber(n), width: 256, height: 256 });
        await follow(
          url,
          queued,
          ({ at, previews: [frame] = [] }, receivedAt) => {
            if (!frame) return;
            firstAt ??= receivedAt;
            if (n === 0) return; // Warm: the model is loaded, code is compiled.
            delays.push(receivedAt - Date.parse(at));
            bytes.push(frame.dataUrl.length);
          },
          { preview: ', preview: { everyMs: 0 }', fields: withFrames },
        );
        if (firstAt === null) throw new Error('Expected frames, but none came');
        if (n > 0) first.push(firstAt - sentAt);
      }
    });
    const note = `${delays.length} frames; the event’s own time stamp → message at the client, to 1 ms`;
    return [
      medianOf('mutation sent → first frame at the client', 'ms', first, 300),
      { what: 'the same, p95', value: percentile(first, 0.95), unit: 'ms' },
      { what: 'step end → frame at the client: p50', value: percentile(delays, 0.5), unit: 'ms' },
      {
        what: 'step end → frame at the client: p95',
        value: percentile(delays, 0.95),
        unit: 'ms',
        atMost: 20,
        note,
      },
      { what: 'a frame as it is sent', value: percentile(bytes, 0.5) / 1000, unit: 'kB' },
    ];
  },
};
