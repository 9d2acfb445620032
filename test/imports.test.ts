import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

type Report = {
  modules: { source: string }[];
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

  it('are kept, and were asked of every file there is', async () => {
    const report = await cruise(root);
    const seen = report.modules.map(({ source }) => source).filter(isOurs);
    const there = (await readdir(join(root, 'src'), { recursive: true }))
      .map((name) => `src/${name.replaceAll('\\', '/')}`)
      .filter((name) => name.endsWith('.ts') && isOurs(name));
    expect(report.summary.violations).toEqual([]);
    expect(seen.sort()).toEqual(there.sort());
  });

  it('leave the environment to the configuration and the commands', async () => {
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

  it('find what is forbidden: backwards, around, and past a fence', async () => {
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
    const { summary } = await cruise(copy);
    const found = summary.violations.map(({ from, rule }) => `${rule.name} in ${from}`);
    expect(found).toContain('inference-imports in src/inference/forbidden.ts');
    expect(found).toContain('only-one-importer-of-sharp in src/inference/forbidden.ts');
    expect(found).toContain('services-runner-imports in src/services/runner/forbidden.ts');
    expect(found).toContain('runtime-dependencies in src/events/forbidden.ts');
    expect(found).toContain('no-cycles in src/storage/one.ts');
  });
});

function isOurs(source: string): boolean {
  return source.startsWith('src/') && !source.startsWith('src/generated/');
}
