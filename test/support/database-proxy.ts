import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { PoolConfig } from 'pg';

/** Between a server and its database: what comes is passed on, until somebody cuts the line. */
export type DatabaseProxy = {
  readonly url: string;
  /** Ends all connections, and refuses new ones. */
  cut(): void;
  restore(): void;
  close(): Promise<void>;
};

export async function openDatabaseProxy({ host, port }: PoolConfig): Promise<DatabaseProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const proxy = createServer((caller) => {
    if (isCut) return caller.destroy();
    const database = connect(join(String(host), `.s.PGSQL.${port}`));
    caller.pipe(database).pipe(caller);
    for (const [socket, other] of [
      [caller, database],
      [database, caller],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address() as { port: number };
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `postgresql://postgres@127.0.0.1:${address.port}/postgres`,
    cut,
    restore() {
      isCut = false;
    },
    async close() {
      cut();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
