import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

type Report = {
  modules: { source: string; dependencies: { resolved: string }[] }[];
  summary: { violations: { from: string; to: string; rule: { name: string } }[] };
};

/** Runs the linter of imports over `folder/src`. */
function cruise(folder: string): Promise<Report> {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [program, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 64e6 }, (error, stdout) => {
      if (stdout === '') reject(error);
      else resolve(JSON.parse(stdout) as Report);
    });
  });
}

describe('the rules of imports', () => {
  let copy: string;

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'easel-imports-'));
    await cp(join(root, 'src'), join(copy, 'src'), { recursive: true });
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
      await cp(join(root, file), join(copy, file));
    }
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  });

  afterAll(() => rm(copy, { recursive: true, force: true }));

  it('hold, and were checked for every file', async () => {
    const report = await cruise(root);
    const seen = report.modules.map(({ source }) => source).filter(isOurs);
    const there = (await readdir(join(root, 'src'), { recursive: true }))
      .map((name) => `src/${name.replaceAll('\\', '/')}`)
      .filter((name) => name.endsWith('.ts') && isOurs(name));
    expect(report.summary.violations).toEqual([]);
    expect(seen.sort()).toEqual(there.sort());
  });

  it('find no circle of folders, type imports included', async () => {
    expect(folderCycles(await cruise(root))).toEqual([]);
  });

  it('allow process.env only in the configuration and the commands', async () => {
    const names = await readdir(join(root, 'src'), { recursive: true });
    const readers: string[] = [];
    for (const name of names.filter((one) => one.endsWith('.ts') && isOurs(`src/${one}`))) {
      const text = await readFile(join(root, 'src', name), 'utf8');
      if (/\bprocess\.env\b/.test(text)) readers.push(name);
    }
    expect(readers.filter((name) => name !== 'config.ts' && !name.startsWith('commands/'))).toEqual(
      [],
    );
  });

  it('find a forbidden import, a cycle and a reserved package', async () => {
    await writeFile(
      join(copy, 'src/inference/forbidden.ts'),
      `import '../services/access/viewer.ts';\nimport 'sharp';\n`,
    );
    await writeFile(
      join(copy, 'src/services/runner/forbidden.ts'),
      `import '../subscriptions/live.ts';\n`,
    );
    await writeFile(join(copy, 'src/events/forbidden.ts'), `import 'fast-check';\n`);
    await writeFile(join(copy, 'src/storage/one.ts'), `import './two.ts';\n`);
    await writeFile(join(copy, 'src/storage/two.ts'), `import './one.ts';\n`);
    await writeFile(
      join(copy, 'src/inference/onnx/forbidden.ts'),
      `import type { Model } from '../models/model.ts';\nexport type Other = Model;\n`,
    );
    const report = await cruise(copy);
    const { summary } = report;
    const found = summary.violations.map(({ from, rule }) => `${rule.name} in ${from}`);
    expect(found).toContain('inference-imports in src/inference/forbidden.ts');
    expect(found).toContain('only-one-importer-of-sharp in src/inference/forbidden.ts');
    expect(found).toContain('services-runner-imports in src/services/runner/forbidden.ts');
    expect(found).toContain('runtime-dependencies in src/events/forbidden.ts');
    expect(found).toContain('no-cycles in src/storage/one.ts');
    expect(found).toContain('inference-onnx-imports in src/inference/onnx/forbidden.ts');
    expect(folderCycles(report).join()).toMatch(/src\/inference\/onnx/);
  });
});

/** Folders whose files import each other in a circle, each circle as `a → b → a`. */
function folderCycles({ modules }: Report): string[] {
  const targets = new Map<string, Set<string>>();
  for (const { source, dependencies } of modules.filter((module) => isOurs(module.source))) {
    const from = folderOf(source);
    for (const { resolved } of dependencies) {
      const to = folderOf(resolved);
      if (isOurs(resolved) && to !== from)
        targets.set(from, (targets.get(from) ?? new Set()).add(to));
    }
  }
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (folder: string, path: readonly string[]): void => {
    const start = path.indexOf(folder);
    if (start >= 0) cycles.push([...path.slice(start), folder].join(' → '));
    if (start >= 0 || done.has(folder)) return;
    for (const target of targets.get(folder) ?? []) visit(target, [...path, folder]);
    done.add(folder);
  };
  for (const folder of [...targets.keys()].sort()) visit(folder, []);
  return cycles;
}

/** Files of `src` itself stand for themselves: they are the first and the last of all imports. */
function folderOf(source: string): string {
  return dirname(source) === 'src' ? source : dirname(source);
}

function isOurs(source: string): boolean {
  return source.startsWith('src/') && !source.startsWith('src/generated/');
}
