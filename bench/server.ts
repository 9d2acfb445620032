import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const probe = fileURLToPath(new URL('memory-probe.mjs', import.meta.url));

/** Megabytes, as the system counts a process. */
export type ProcessMemory = {
  readonly resident: number;
  /** Of that, what no file backs: weights stay mapped from theirs. */
  readonly anonymous: number;
  readonly peak: number;
};

export type Server = {
  readonly url: string;
  /** From the spawn of the process to its "listening". */
  readonly startedInMs: number;
  memory(): ProcessMemory;
  /** Bytes that are left after the garbage has been collected, buffers outside the heap included. */
  liveBytes(): Promise<number>;
  /** What it has open: resources of its event loop, and file descriptors. */
  held(): Promise<{ readonly handles: number; readonly files: number }>;
  /** Seconds that all its threads have computed. */
  cpuSeconds(): number;
  close(): Promise<void>;
};

/** A data folder of its own, deleted at the end. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'easel-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The built program in a process of its own, on a free port, with an empty data folder. */
export function withServer<T>(work: (server: Server) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const server = await startServer(folder, { program: 'dist/main.js' });
    try {
      return await work(server);
    } finally {
      await server.close();
    }
  });
}

/** `program`: the compiled one, or `scripts/boot.cjs start`, which is what `npm start` runs. */
export async function startServer(
  dataFolder: string,
  {
    program,
    env = {},
  }: {
    program: 'dist/main.js' | 'scripts/boot.cjs start';
    env?: Readonly<Record<string, string>>;
  },
): Promise<Server> {
  const spawnedAt = performance.now();
  const child = spawn(process.execPath, ['--expose-gc', '--import', probe, ...program.split(' ')], {
    cwd: root,
    env: { ...process.env, DATA_DIR: dataFolder, PORT: '0', LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const url = await listening(child);
  const startedInMs = performance.now() - spawnedAt;
  const read = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
  const ask = async () => {
    const answer = once(child, 'message');
    child.send('memory');
    const [said] = (await answer) as [{ liveBytes: number; handles: number }];
    return said;
  };
  return {
    url,
    startedInMs,
    memory() {
      const status = read('status');
      const megabytes = (field: string) =>
        (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024) / 1e6;
      return {
        resident: megabytes('VmRSS'),
        anonymous: megabytes('RssAnon'),
        peak: megabytes('VmHWM'),
      };
    },
    liveBytes: async () => (await ask()).liveBytes,
    async held() {
      const { handles } = await ask();
      return { handles, files: readdirSync(`/proc/${child.pid}/fd`).length };
    },
    cpuSeconds() {
      // After the name in brackets, from field 3 on: 14 and 15 are user and system time in hundredths.
      const fields = read('stat')
        .replace(/^.*\) /s, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    async close() {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
    },
  };
}

/** `node dist/main.js` logs where it listens, `npm start` tells whoever typed it. */
const inLog = /"url":"([^"]+)".*"msg":"listening"/;
const toAPerson = /API explorer\s+(http\S+)\/graphql/;

/** Its address, out of what it prints. */
async function listening(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new TypeError('Expected a pipe, but got none');
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const found = inLog.exec(line) ?? toAPerson.exec(line);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
    child.once('exit', (code) =>
      reject(new Error(`Expected the server to listen, but it ended with ${code}`)),
    );
  });
  lines.removeAllListeners('line');
  lines.on('line', () => {}); // Its pipe must not fill up.
  return url;
}
