import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type MetricsSources = {
  /** Since the start. */
  readonly frames: () => { readonly framesComputed: number; readonly framesEncoded: number };
  readonly generations: () => Promise<Readonly<Record<string, number>>>;
  readonly sockets: () => number;
  readonly operations: () => number;
};

export type Metrics = {
  readonly registry: Registry;
  /** One HTTP request was answered. `route`: one of a few names, never a path that a client made up. */
  answered(request: { route: string; method: string; status: number; seconds: number }): void;
};

/** What `/metrics` shows. Its own registry: several servers in one process do not add up. */
export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'easel_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last of its answer.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  new Counter({
    name: 'easel_preview_frames_computed_total',
    help: 'Preview frames that the engine made.',
    registers,
    collect() {
      this.reset();
      this.inc(sources.frames().framesComputed);
    },
  });
  new Counter({
    name: 'easel_preview_frames_encoded_total',
    help: 'Preview frames that were encoded, once for each size and format that is watched.',
    registers,
    collect() {
      this.reset();
      this.inc(sources.frames().framesEncoded);
    },
  });
  new Gauge({
    name: 'easel_generations',
    help: 'Generations that wait and that run.',
    labelNames: ['status'],
    registers,
    async collect() {
      for (const [status, count] of Object.entries(await sources.generations())) {
        this.set({ status }, count);
      }
    },
  });
  new Gauge({
    name: 'easel_websockets',
    help: 'Open WebSockets.',
    registers,
    collect() {
      this.set(sources.sockets());
    },
  });
  new Gauge({
    name: 'easel_websocket_operations',
    help: 'Operations that run over WebSockets.',
    registers,
    collect() {
      this.set(sources.operations());
    },
  });
  return {
    registry,
    answered: ({ route, method, status, seconds }) =>
      requests.observe({ route, method, status: String(status) }, seconds),
  };
}
