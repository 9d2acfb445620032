import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { expect, test } from 'vitest';

const boot = fileURLToPath(new URL('../scripts/boot.cjs', import.meta.url));

function run(args: string[], nodeVersion = process.versions.node) {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${nodeVersion}' }); require(${JSON.stringify(boot)})`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', pretend, boot, ...args], {
    encoding: 'utf8',
  });
  return { status, lines: (stdout + stderr).split('\n').filter((line) => line !== '') };
}

test.each(['12.22.12', '18.20.4', '20.18.3', '22.11.0'])(
  'on Node %s ends with one sentence',
  (version) => {
    const { status, lines } = run(['start'], version);
    expect(status).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^easel: Expected Node 20\.19 or later.* but this is \d/);
    expect(lines[0]).toContain(version);
  },
);

test('is written in ES5, so that an old Node can parse it', async () => {
  const source = readFileSync(boot, 'utf8');
  // Refuses what ES5 does not have; import() is older than every Node that gets this far.
  const { warnings } = await transform(source, {
    target: 'es5',
    supported: { 'dynamic-import': true },
  });
  expect(warnings).toEqual([]);
});

test('an unknown command, and a refused argument, end with one sentence', () => {
  const unknown = run(['frobnicate']);
  expect(unknown.status).toBe(1);
  expect(unknown.lines.at(-1)).toContain('but got "frobnicate"');
  const refused = run(['migrate', 'Not A Name']);
  expect(refused.status).toBe(1);
  expect(refused.lines.at(-1)).toMatch(
    /^easel: Expected a name of small letters.*but got "Not A Name"$/,
  );
});

test('every script of package.json is a command', async () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  const served = Object.values<string>(scripts).flatMap(
    (line) => /^node scripts\/boot\.cjs (\w+)$/.exec(line)?.[1] ?? [],
  );
  const own = [...readFileSync(boot, 'utf8').matchAll(/^ {2}(\w+): (?:function|test)/gm)];
  const known = own.map(([, name]) => name);
  expect(known).toContain('start');
  for (const name of served) {
    expect(known.includes(name) || existsSync(`src/commands/${name}.ts`), name).toBe(true);
  }
});
