import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listProviders } from '../../src/inference/onnx/session.ts';
import { chooseProvider } from '../../src/inference/providers.ts';
import { trialNames, withSelfTest } from '../../src/inference/self-test.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-providers-'));
beforeAll(() => {
  // As few shaders as possible: SwiftShader takes a fifth of a second to compile each.
  writeRandomModel(join(folder, 'random'), { layers: 1, textLayers: 1, vaeChannels: [8, 8, 8, 8] });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the self-test', () => {
  it('finds each network the same in the fused form and the composed one on the CPU', async () => {
    const errors = await withSelfTest(1, async (test) => {
      const found = [];
      for (const name of trialNames) found.push(await test.error(name, 'cpu', 'fused'));
      return found;
    });
    expect(errors).toHaveLength(5);
    expect(Math.max(...errors)).toBeLessThan(1e-5);
  });
});

describe('the provider', () => {
  it('cpu is used without a self-test', async () => {
    expect(await chooseProvider('cpu', 1)).toMatchObject({ provider: 'cpu' });
  });

  it('auto is one that is installed, and starts no self-test where there is no GPU device', async () => {
    const start = performance.now();
    const { provider } = await chooseProvider('auto', 1);
    expect(listProviders()).toContain(provider);
    const devices = ['/dev/dri', '/dev/nvidiactl', '/dev/dxg'];
    if (process.platform === 'linux' && !devices.some((device) => existsSync(device))) {
      expect(provider).toBe('cpu');
      expect(performance.now() - start).toBeLessThan(500);
    }
  });

  it('cuda without its library refuses the start, and names the command that installs it', async () => {
    const choice = chooseProvider('cuda', 1);
    if (listProviders().includes('cuda')) {
      await choice.catch((error: Error) => expect(error.message).toMatch(/cuda/));
    } else {
      const message = await choice.then(String, (error: Error) => error.message);
      expect(message).toMatch(
        /^Expected the execution provider cuda to work here, but its library is not installed/,
      );
      expect(existsSync(/`node (\S+) .*` fetches it/.exec(message)?.[1] ?? '')).toBe(true);
    }
  });
});

/** Chromium brings a WebGPU-capable renderer for CPUs, and a loader for it. */
const chromium = '/usr/lib/chromium';
const driver = join(chromium, 'vk_swiftshader_icd.json');
const hasSwiftShader = existsSync(driver);

type Drawn = { provider: string; rgb: string } | { name: string; refused: string };

async function draw(provider: string): Promise<Drawn> {
  const script = fileURLToPath(new URL('../support/draw-once.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, folder, provider], {
    env: {
      ...process.env,
      XDG_RUNTIME_DIR: folder,
      ...(hasSwiftShader && { VK_DRIVER_FILES: driver, LD_LIBRARY_PATH: chromium }),
    },
  });
  return JSON.parse(stdout) as Drawn;
}

function psnr(a: Buffer, b: Buffer): number {
  const error = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
  return 10 * Math.log10(255 ** 2 / error);
}

describe('webgpu', () => {
  const title = hasSwiftShader
    ? 'makes the same image as the CPU, on SwiftShader'
    : 'makes the same image as the CPU, or is refused with a message (not run on SwiftShader, which is not installed here)';

  it(title, { timeout: 300_000 }, async () => {
    const drawn = await draw('webgpu');
    if (hasSwiftShader) expect(drawn).toMatchObject({ provider: 'webgpu' });
    if ('refused' in drawn) {
      expect(drawn.name).toBe('StartError');
      expect(drawn.refused).toMatch(
        /^Expected the execution provider webgpu to work here, but .{10,}/,
      );
      return;
    }
    const reference = await draw('cpu');
    if ('refused' in reference) throw new Error(reference.refused);
    const [got, expected] = [drawn, reference].map(({ rgb }) => Buffer.from(rgb, 'base64'));
    expect(psnr(got!, expected!)).toBeGreaterThan(40);
  });
});
