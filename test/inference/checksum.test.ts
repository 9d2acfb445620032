import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createChecksums } from '../../src/inference/checkpoints/checksum.ts';
import { openModel } from '../../src/inference/models/model.ts';
import { type FileStamp, openFile } from '../../src/inference/onnx/file.ts';
import { writeRandomModel } from '../support/random-model.ts';

const root = mkdtempSync(join(tmpdir(), 'easel-checksums-'));
const original = writeRandomModel(join(root, 'original'));
let folder: string;
let copies = 0;

beforeEach(() => {
  folder = join(root, `copy-${++copies}`);
  cpSync(original, folder, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true }));

const transformer = () => join(folder, 'transformer', 'diffusion_pytorch_model.safetensors');

describe('checksums', () => {
  const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

  const stampOf = async (path: string): Promise<FileStamp> => {
    const { handle, stamp } = await openFile(path);
    await handle.close();
    return stamp;
  };

  it("are of the file, or of the shards' checksums in the order of their names", async () => {
    const model = await openModel({ name: 'model', folder, shared: null });
    const checksums = createChecksums();
    const whole = sha256(readFileSync(transformer()));
    expect(await checksums.of(model.transformer.weights.files)).toBe(whole);

    const shard = 'diffusion_pytorch_model-00001-of-00001.safetensors';
    const map = model.transformer.weights.names().map((name) => [name, shard]);
    renameSync(transformer(), join(folder, 'transformer', shard));
    writeFileSync(
      `${transformer()}.index.json`,
      JSON.stringify({ weight_map: Object.fromEntries(map) }),
    );
    const sharded = await openModel({ name: 'model', folder, shared: null });
    const { files } = sharded.transformer.weights;
    expect(files.map(({ path }) => basename(path))).toEqual([shard]);
    expect(await checksums.of(files)).toBe(whole);
    const [vae] = model.vae.weights.files;
    expect(await checksums.of([...files, vae!])).toBe(
      sha256(whole + sha256(readFileSync(vae!.path))),
    );
  });

  it('are kept in a file, by path, size and time of change', async () => {
    const cacheFile = join(folder, 'checksums.json');
    const stamp = await stampOf(transformer());
    const before = await createChecksums(cacheFile).of([stamp]);
    const kept = readFileSync(cacheFile, 'utf8');
    expect(kept).toContain(before);
    writeFileSync(cacheFile, kept.replace(before, 'f'.repeat(64)));
    expect(await createChecksums(cacheFile).of([stamp])).toBe('f'.repeat(64));
    truncateSync(transformer(), 100);
    expect(await createChecksums(cacheFile).of([await stampOf(transformer())])).toBe(
      sha256(readFileSync(transformer())),
    );
    expect(Object.keys(JSON.parse(readFileSync(cacheFile, 'utf8')))).toHaveLength(1);
  });

  it('are made anew of a file that was overwritten, with its times set back', async () => {
    const cacheFile = join(folder, 'checksums.json');
    const { atime, mtime, size } = statSync(transformer());
    await createChecksums(cacheFile).of([await stampOf(transformer())]);
    writeFileSync(transformer(), Buffer.alloc(size, 7));
    utimesSync(transformer(), atime, mtime);
    expect(await createChecksums(cacheFile).of([await stampOf(transformer())])).toBe(
      sha256(Buffer.alloc(size, 7)),
    );
  });

  it('are of a file that was renamed or linked since, but are not kept', async () => {
    const cacheFile = join(folder, 'checksums.json');
    const stamp = await stampOf(transformer());
    linkSync(transformer(), `${transformer()}.backup`);
    const expected = sha256(readFileSync(transformer()));
    expect(await createChecksums(cacheFile).of([stamp])).toBe(expected);
    expect(existsSync(cacheFile)).toBe(false);
  });

  it('are not of another file that has taken the place since', async () => {
    const stamp = await stampOf(transformer());
    writeFileSync(`${transformer()}.new`, 'other');
    renameSync(`${transformer()}.new`, transformer());
    await expect(createChecksums().of([stamp])).rejects.toMatchObject({ name: 'FileChanged' });
  });

  it('do without the file where it cannot be used', async () => {
    writeFileSync(join(folder, 'garbage.json'), '[1');
    const expected = sha256(readFileSync(transformer()));
    const stamp = await stampOf(transformer());
    for (const name of ['garbage.json', 'nowhere/checksums.json']) {
      expect(await createChecksums(join(folder, name)).of([stamp])).toBe(expected);
    }
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });
});
