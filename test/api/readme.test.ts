import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildSchema, isScalarType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../crash/easel-process.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const address = '127.0.0.1:4000';

/** The one code block of this language that holds the text. */
function block(language: string, text: string): string {
  const blocks = [...readme.matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const found = blocks.filter(([, tag, code]) => tag === language && code!.includes(text));
  expect(found).toHaveLength(1);
  return found[0]![2]!;
}

describe('what the README shows', () => {
  let server: TestServer;
  let folder: string;
  let port: number;
  const start = () => {
    const engine = createStepwise();
    engine.release();
    return startTestServer({
      generate: engine.generate,
      config: { port, dataDir: join(folder, 'data') },
    });
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'easel-readme-'));
    port = await freePort();
    server = await start();
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('answers the request for curl with a finished image', async () => {
    const command = block('sh', 'curl').replace(address, `127.0.0.1:${port}`);
    const text = await new Promise<string>((resolve, reject) =>
      execFile('sh', ['-c', command], (error, stdout) => (error ? reject(error) : resolve(stdout))),
    );
    const { generation } = JSON.parse(text).data.generate;
    expect(generation.status).toBe('SUCCEEDED');
    expect((await fetch(generation.images[0].url)).status).toBe(200);
  });

  it('follows events in the program for subscriptions, also across a restart of the server', async () => {
    const program = block('js', 'watch.mjs').replace(address, `127.0.0.1:${port}`);
    const watcher = spawn(process.execPath, ['--input-type=module'], { cwd: root });
    watcher.stdin.end(program);
    const lines = linesOf(watcher);
    const draw = 'mutation { generate(input: { settings: { prompt: "a boat" } }) { replayed } }';
    try {
      await until(server, () => server.gql(draw));
      expect(await lines.next('GenerationSucceeded')).toContain('SUCCEEDED 1');
      await server.close();
      server = await start();
      await server.gql(draw);
      expect(await lines.next('GenerationSucceeded')).toContain('SUCCEEDED 1');
      const succeeded = lines.seen.filter((line) => line.startsWith('GenerationSucceeded'));
      expect(succeeded).toHaveLength(2);
    } finally {
      watcher.kill();
    }
  });

  it('types every scalar of the schema', () => {
    const schema = buildSchema(readFileSync(join(root, 'schema.graphql'), 'utf8'));
    const own = Object.values(schema.getTypeMap())
      .filter((type) => isScalarType(type) && type.astNode)
      .map(({ name }) => name);
    const named = [...block('ts', 'const scalars').matchAll(/^ {2}(\w+):/gm)].map(
      ([, name]) => name,
    );
    expect(named.sort()).toEqual(own.sort());
  });
});

/** Runs `work` once a subscriber is there. */
async function until(server: TestServer, work: () => Promise<unknown>): Promise<void> {
  const operations = async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^easel_websocket_operations (\d+)/m.exec(text)?.[1] ?? 0);
  };
  await expect.poll(operations, { timeout: 20_000 }).toBeGreaterThan(0);
  await work();
}

/** What a process prints; `next` waits for a line that begins so, after those that it has given. */
function linesOf(child: ChildProcess) {
  const seen: string[] = [];
  const queue: string[] = [];
  let wake = () => {};
  const add = (line: string) => {
    seen.push(line);
    queue.push(line);
    wake();
  };
  createInterface(child.stdout!).on('line', add);
  createInterface(child.stderr!).on('line', (line) => add(`stderr: ${line}`));
  child.once('exit', (code) => add(`exit ${code}`));
  return {
    seen,
    async next(beginning: string): Promise<string> {
      for (;;) {
        const line = queue.shift();
        if (line?.startsWith(beginning)) return line;
        if (line?.startsWith('exit')) throw new Error(`the program ended: ${seen.join('\n')}`);
        if (line === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
