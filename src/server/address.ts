import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** A name or address as it stands in a URL: one of IPv6 in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

const address = z.object({ pid: z.number(), url: z.url() });

/** Where the server of a data folder listens, for commands on the same machine. */
export type Address = z.infer<typeof address>;

const fileName = 'server.json';

/** Writes the address of this process into the data folder; what it gives back removes it. */
export function writeAddress(folder: string, url: string): () => void {
  const file = join(folder, fileName);
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify({ pid: process.pid, url } satisfies Address), {
    mode: 0o600,
  });
  renameSync(draft, file);
  return () => {
    if (readAddress(folder)?.pid === process.pid) rmSync(file, { force: true });
  };
}

/** Null where none was written, or where it is none. A killed server leaves its address behind: ask whether it lives. */
export function readAddress(folder: string): Address | null {
  try {
    return address.parse(JSON.parse(readFileSync(join(folder, fileName), 'utf8')));
  } catch {
    return null;
  }
}
