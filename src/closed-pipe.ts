import { systemReason } from './system-error.ts';

/**
 * Aborts when the program that reads this one's output has gone, as `head` does when it has read enough. Then a
 * command ends what it has begun, and says nothing of it; of a disk that is full, say, it says so.
 */
export function closedPipe(): AbortSignal {
  known ??= watchOutput();
  return known;
}

let known: AbortSignal | undefined;

function watchOutput(): AbortSignal {
  const controller = new AbortController();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && !controller.signal.aborted) {
        process.exitCode = 1;
        const text = `easel: Expected to write output, but ${systemReason(error)}\n`;
        if (stream === process.stdout) process.stderr.write(text);
      }
      controller.abort();
    });
  }
  return controller.signal;
}
