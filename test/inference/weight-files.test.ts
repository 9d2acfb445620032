import { symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openWeights } from '../../src/inference/checkpoints/weight-files.ts';
import { encodeSafetensors } from '../../src/inference/onnx/safetensors.ts';
import { emptyFolder, read, table, withFile } from '../support/weight-folders.ts';

describe('a folder of weights', () => {
  const one = (name: string) => encodeSafetensors({ [name]: { shape: [6], data: table } });
  const index = (map: unknown) => JSON.stringify({ metadata: {}, weight_map: map });
  const sharded = (map: unknown, shards: Record<string, Uint8Array>) => {
    const path = emptyFolder();
    writeFileSync(join(path, 'model.safetensors.index.json'), index(map));
    for (const [name, bytes] of Object.entries(shards)) writeFileSync(join(path, name), bytes);
    return path;
  };

  it('may be in shards', async () => {
    const path = sharded(
      { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
      {
        'model-00001-of-00002.safetensors': one('a'),
        'model-00002-of-00002.safetensors': one('b'),
      },
    );
    const weights = await openWeights(path, 'model');
    expect(weights.names()).toEqual(['a', 'b']);
    expect(weights.files).toHaveLength(2);
    expect(await read(weights, 'b')).toEqual(table);
  });

  it('may be links into a store beside it', async () => {
    const store = emptyFolder();
    writeFileSync(join(store, 'abc123'), one('a'));
    const path = emptyFolder();
    symlinkSync(join(store, 'abc123'), join(path, 'model.safetensors'));
    const weights = await openWeights(path, 'model');
    expect(weights.root).toBe(store);
    expect(await read(weights, 'a')).toEqual(table);
  });

  it.each([
    ['../outside.safetensors'],
    ['/etc/outside.safetensors'],
    ['sub/inside.safetensors'],
    ['..\\outside.safetensors'],
    ['model.bin'],
    [7],
  ])('is refused where its index names %s', async (name) => {
    await expect(openWeights(sharded({ a: name }, {}), 'model')).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(/weight_map\.a: expected a file name inside the folder/),
    });
  });

  it.each([
    ['malformed', '{', /malformed text/],
    ['empty', '{}', /weight_map: /],
    ['null', 'null', /Expected a usable configuration/],
    ['a list', index(['a']), /weight_map: /],
    ['without shards', index({}), /Expected the names of shards, but got none/],
    [
      'of a missing shard',
      index({ a: 'x.safetensors' }),
      /Expected a readable file .*x\.safetensors, but it does not exist/,
    ],
    ['of a missing tensor', index({ b: 'here.safetensors' }), /Expected b in here.safetensors/],
  ])('is refused where its index is %s', async (_, text, message) => {
    const path = withFile(one('a'), 'here.safetensors');
    writeFileSync(join(path, 'model.safetensors.index.json'), text);
    await expect(openWeights(path, 'model')).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [['model.fp16.safetensors', 'model.bf16.safetensors'], 'model.bf16.safetensors'],
    [['model.fp16.safetensors', 'model.safetensors'], 'model.safetensors'],
    [['model.non_ema.safetensors'], 'model.non_ema.safetensors'],
  ])('with %j is read from %s', async (names, chosen) => {
    const path = emptyFolder();
    for (const name of names) writeFileSync(join(path, name), one('a'));
    const { files } = await openWeights(path, 'model');
    expect(files.map(({ path }) => basename(path))).toEqual([chosen]);
  });

  it.each(['model.fp16-00001-of-00001.safetensors', 'model-00001-of-00001.fp16.safetensors'])(
    'may be shards of a variant: %s',
    async (name) => {
      const path = emptyFolder();
      writeFileSync(join(path, name), one('a'));
      writeFileSync(join(path, 'model.safetensors.index.fp16.json'), index({ a: name }));
      expect(await read(await openWeights(path, 'model'), 'a')).toEqual(table);
    },
  );

  it.each([
    [[], /but got neither$/],
    [['model.bin'], /but got only model\.bin, a pickle/],
    [['model.fp16-00001-of-00001.safetensors'], /only model\.fp16-0.*and no index that names it$/],
  ])('of %j is refused, naming what is there', async (names, message) => {
    const path = emptyFolder();
    for (const name of names) writeFileSync(join(path, name), one('a'));
    await expect(openWeights(path, 'model')).rejects.toThrow(message);
  });
});
