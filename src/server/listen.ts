import type { Server } from 'node:http';
import { StartError } from '../errors.ts';
import { type SystemFault, systemFault, systemReason } from '../system-error.ts';

/** Resolves when it listens. @throws StartError */
export function listen(server: Server, { host, port }: { host: string; port: number }) {
  return new Promise<{ port: number }>((resolve, reject) => {
    const fail = (cause: unknown) => reject(cannotListen(cause, host, port));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address ? address.port : port });
    });
  });
}

/** What a person can do about it. */
const remedies: { readonly [Fault in SystemFault]?: string } = {
  'address in use': ': stop that program, or set PORT to another number',
  denied: ': set PORT to a number above 1023',
  'no such address': ': set HOST to an address that it has',
};

function cannotListen(cause: unknown, host: string, port: number): StartError {
  const fault = systemFault(cause);
  const remedy = (fault && remedies[fault]) ?? '';
  const text = `Expected to listen on ${host}:${port}, but ${systemReason(cause)}${remedy}`;
  return new StartError(text, { cause });
}
