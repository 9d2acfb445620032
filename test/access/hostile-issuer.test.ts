import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { PrismaClient } from '../../src/generated/prisma/client.ts';
import { createTokens } from '../../src/services/access/tokens.ts';

let provider: Server | undefined;
afterEach(() => {
  provider?.closeAllConnections();
  provider?.close();
});

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** Whatever is in it: its keys are looked for before it is read any further. */
const token = `${part({ alg: 'RS256', kid: 'x' })}.${part({ sub: 'x' })}.AAAA`;

/** Bytes that the provider could send, and requests that it got. */
async function listen(answer: (response: ServerResponse, url: string) => void) {
  const asked: string[] = [];
  provider = createServer(({ url = '' }, response) => {
    asked.push(url);
    answer(response, url);
  });
  await new Promise<void>((resolve) => provider?.listen(0, '127.0.0.1', resolve));
  const { port } = provider.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const rest = { audience: 'easel', roleClaim: 'roles', adminRoles: [] };
  return { asked, issuer, tokens: createTokens({} as PrismaClient, { issuer, ...rest }) };
}

/** Sends until the reader leaves. */
function endless(response: ServerResponse, sent: { bytes: number }): void {
  const chunk = Buffer.alloc(65_536, ' ');
  const more = () => {
    while (!response.destroyed) {
      sent.bytes += chunk.length;
      if (!response.write(chunk)) break;
    }
  };
  response.on('drain', more);
  more();
}

describe('an identity provider', () => {
  it.each(['discovery', 'keys'])('that never ends its answer is left: %s', async (what) => {
    const sent = { bytes: 0 };
    const own = await listen((response, url) => {
      const isKeys = url === '/keys';
      if (isKeys === (what === 'keys')) endless(response, sent);
      else response.end(JSON.stringify({ issuer: own.issuer, jwks_uri: `${own.issuer}/keys` }));
    });
    const answers = Array.from({ length: 10 }, () => own.tokens.viewerOf(token));
    for (const answer of await Promise.allSettled(answers)) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
    }
    // What the system's buffers hold comes on top of what is read.
    expect(sent.bytes).toBeLessThan(30_000_000);
    const { length } = own.asked;
    await expect(own.tokens.viewerOf(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(own.asked).toHaveLength(length); // Not asked again at once.
  });

  it('that does not answer, redirects, or says something else is unavailable', async () => {
    for (const answer of [
      () => {},
      (response: ServerResponse) =>
        response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      (response: ServerResponse) => response.end('<html>'),
    ]) {
      const { tokens } = await listen(answer);
      await expect(tokens.viewerOf(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      provider?.closeAllConnections();
      provider?.close();
    }
  });
});
