import type { Server } from 'node:http';
import { StartError } from '../errors.ts';

/** Resolves when it listens. @throws StartError */
export function listen(server: Server, { host, port }: { host: string; port: number }) {
  return new Promise<{ port: number }>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => reject(cannotListen(cause, host, port));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address ? address.port : port });
    });
  });
}

function cannotListen(cause: NodeJS.ErrnoException, host: string, port: number): StartError {
  const place = `Expected to listen on ${host}:${port}, but`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new StartError(
        `${place} another program does: stop it, or set PORT to another number`,
        { cause },
      );
    case 'EACCES':
      return new StartError(`${place} this user may not: set PORT to a number above 1023`, {
        cause,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(`${place} this machine has no such address: set HOST to one it has`, {
        cause,
      });
    default:
      return new StartError(`${place} got: ${cause.message}`, { cause });
  }
}
