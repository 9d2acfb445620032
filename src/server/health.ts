import type { Request, Response } from 'express';

/** Null where all is well, else one sentence. */
export type Check = () => Promise<string | null>;

/** A check that does not come back says as much as one that fails. */
const checkTimeoutMs = 2_000;

/** `/health`: the process lives and its event loop turns; nothing else is asked. */
export function health(_request: Request, response: Response): void {
  response.set('Cache-Control', 'no-store').json({ status: 'ok' });
}

/** `/ready`: an image that is asked for now would be made. 503 with the reasons where not. */
export function ready(checks: Readonly<Record<string, Check>>) {
  return async (_request: Request, response: Response): Promise<void> => {
    const entries = Object.entries(checks).map(async ([name, check]) => [name, await run(check)]);
    const problems: Record<string, string | null> = Object.fromEntries(await Promise.all(entries));
    const isReady = Object.values(problems).every((problem) => problem === null);
    const shown = Object.entries(problems).map(([name, problem]) => [name, problem ?? 'ok']);
    response
      .status(isReady ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: isReady ? 'ready' : 'not ready', ...Object.fromEntries(shown) });
  };
}

async function run(check: Check): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, checkTimeoutMs, `no answer within ${checkTimeoutMs} ms`);
  });
  try {
    return await Promise.race([check(), tooLate]);
  } catch {
    return 'it does not answer'; // The reason is for the log, not for the public.
  } finally {
    clearTimeout(timer);
  }
}
