/** Bytes of an answer that is read at most: documents and keys of identity providers have a few kilobytes. */
const longestAnswer = 1_000_000;
const fetchTimeoutMs = 5_000;

/** What somebody else's server sent was too long, late, or nothing of what was asked for. */
export class FetchFailed extends Error {}

/**
 * `fetch` of a server that may be broken or hostile: no redirects, and all of the answer within a time and a size.
 * @throws FetchFailed
 */
export async function fetchBounded(
  url: string | URL,
  init: {
    readonly headers?: ConstructorParameters<typeof Headers>[0];
    readonly method?: string;
  } = {},
): Promise<Response> {
  try {
    const { headers, method = 'GET' } = init;
    const signal = AbortSignal.timeout(fetchTimeoutMs);
    const answer = await fetch(url, { method, headers, signal, redirect: 'error' });
    return new Response(await bodyOf(answer), { status: answer.status, headers: answer.headers });
  } catch (cause) {
    throw new FetchFailed(`Expected an answer of at most ${longestAnswer} bytes in time`, {
      cause,
    });
  }
}

async function bodyOf({ body }: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let got = 0;
  // Leaving the loop closes the connection.
  for await (const chunk of body ?? []) {
    got += chunk.length;
    if (got > longestAnswer) throw new Error(`got more than ${longestAnswer} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
