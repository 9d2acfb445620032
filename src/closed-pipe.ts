/**
 * Aborts when the program that reads this one's output has gone, as `head` does when it has read enough. Then a
 * command ends what it has begun, and says nothing of it.
 */
export function closedPipe(): AbortSignal {
  const controller = new AbortController();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      controller.abort();
    });
  }
  return controller.signal;
}
