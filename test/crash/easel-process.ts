import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** One life of a real server, in a process of its own. */
export type EaselProcess = {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** Resolves when it listens; rejects with its last words where it ends before. */
  readonly listening: Promise<void>;
  /** Resolves when it has ended, with what is left of it. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Lines of its log and of its standard error, so far. */
  readonly lines: readonly string[];
  /** Resolves with the first line that holds `text`. */
  said(text: string): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL to the process that holds the port, and proof that the port then refuses. */
  kill(): Promise<void>;
};

export type EaselEnvironment = {
  readonly port: number;
  readonly dataDir: string;
  readonly modelsDir: string;
  /** `<point>` or `<point>:<n>`. */
  readonly crashAt?: string | undefined;
  readonly more?: Readonly<Record<string, string>>;
};

/** `node dist/main.js`, as a container starts it. */
export function startEasel({ port, dataDir, modelsDir, crashAt, more }: EaselEnvironment) {
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      DATA_DIR: dataDir,
      MODELS_DIR: modelsDir,
      DEFAULT_MODEL: 'random',
      PROVIDER: 'cpu',
      THREADS: '1',
      ...(crashAt === undefined ? {} : { EASEL_CRASH_AT: crashAt }),
      ...more,
    },
  });
  return follow(child, port);
}

function follow(child: ChildProcess, port: number): EaselProcess {
  const lines: string[] = [];
  const waiting = new Set<{ text: string; tell: (line: string) => void }>();
  const hear = (line: string) => {
    lines.push(line);
    for (const one of waiting) {
      if (!line.includes(one.text)) continue;
      waiting.delete(one);
      one.tell(line);
    }
  };
  for (const output of [child.stdout!, child.stderr!]) {
    createInterface({ input: output }).on('line', hear);
  }
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const said = (text: string) => {
    const line = lines.find((known) => known.includes(text));
    if (line !== undefined) return Promise.resolve(line);
    return new Promise<string>((tell) => waiting.add({ text, tell }));
  };
  const listening = Promise.race([
    said('"msg":"listening"').then(() => {}),
    ended.then(({ code, signal }) => {
      const words = lines.slice(-5).join('\n');
      throw new Error(`Expected it to listen, but it ended (${signal ?? code}): ${words}`);
    }),
  ]);
  listening.catch(() => {}); // A test that kills it during the start does not wait for it.
  return {
    pid: child.pid!,
    port,
    url: `http://127.0.0.1:${port}`,
    listening,
    ended,
    lines,
    said,
    signal: (name) => child.kill(name),
    async kill() {
      process.kill(holderOf(port) ?? child.pid!, 'SIGKILL');
      const { signal } = await ended;
      if (signal !== 'SIGKILL') throw new Error(`Expected death by SIGKILL, but got ${signal}`);
      await proveRefused(port);
    },
  };
}

/** A port that is free now, to be kept over all lives of one data folder. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('Expected a port');
  return address.port;
}

/** @throws where anybody still listens. */
export async function proveRefused(port: number): Promise<void> {
  const code = await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve('an open connection');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  if (code !== 'ECONNREFUSED') {
    throw new Error(`Expected port ${port} to refuse, but got ${code}`);
  }
}

/** Id of the process that listens on the port, as Linux tells it; null elsewhere, or where nobody does. */
function holderOf(port: number): number | null {
  const inode = inodeOf(port);
  if (inode === null) return null;
  const isHolder = (pid: string) => {
    try {
      const folder = `/proc/${pid}/fd`;
      return readdirSync(folder).some(
        (file) => readlinkSync(`${folder}/${file}`) === `socket:[${inode}]`,
      );
    } catch {
      return false; // Another user's, or gone in the meantime.
    }
  };
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isHolder(name));
  return pid === undefined ? null : Number(pid);
}

function inodeOf(port: number): string | null {
  try {
    const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const listen = '0A';
    const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
    const fields = rows.map((row) => row.trim().split(/\s+/));
    return fields.find((field) => field[1] === address && field[3] === listen)?.[9] ?? null;
  } catch {
    return null;
  }
}
