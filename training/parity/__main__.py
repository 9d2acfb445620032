"""Run every case and write the report: `python -m training.parity --seed 1 --out docs/parity.md`."""

import argparse
import contextlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers

from .easel import COMPRESSED, ROOT, Easel, Row
from .networks import t5_case, vae_cases
from .pipelines import pipeline_case
from .transformer import transformer_case


def cases(rng: random.Random):
    def grid():
        return rng.choice([(12, 20), (26, 10), (8, 32), (16, 16), (22, 14), (30, 18)])

    for i, head_dim in enumerate([16, 24, 32, 40, 48, 64, 72, 72]):
        yield transformer_case, dict(
            layers=rng.randint(2, 5), heads=rng.randint(2, 4), head_dim=head_dim, caption=rng.choice([32, 48, 96]),
            sample_size=rng.choice([16, 32, 64]), interpolation=rng.choice([0.5, 1, 2]), latent=grid(), batch=[1, 3][i % 2],
            files=['F32', 'F16', 'BF16'][i % 3], original=i == 5,
        )
    yield transformer_case, dict(layers=2, heads=3, head_dim=32, caption=32, sample_size=128, interpolation=2, latent=grid(), batch=1,
                                 micro=True)
    yield transformer_case, dict(layers=28, heads=2, head_dim=24, caption=32, sample_size=32, interpolation=0.5, latent=(8, 12), batch=1)
    for i, (sampling, factor) in enumerate([('conv', 2), ('conv', 2), ('conv', 3), ('conv', 4), ('ave', 2), ('uniform', 2),
                                            ('uniform_every', 2)]):
        layers = rng.randint(2, 5)
        yield transformer_case, dict(
            layers=layers, heads=rng.randint(2, 4), head_dim=rng.choice([16, 24, 72]), caption=32, sample_size=32, interpolation=1,
            latent=(26, 18) if i == 1 else (24, 16), batch=[1, 3][i % 2], files=['F32', 'F16', 'BF16'][i % 3], original=i == 3,
            compression=(sampling, factor, sorted(rng.sample(range(layers), rng.randint(1, layers)))),
        )
    for i, (d_kv, shard) in enumerate([(16, '5GB'), (32, '60KB'), (64, '100KB'), (64, '5GB'), (24, '40KB')]):
        yield t5_case, dict(
            layers=rng.randint(1, 8), heads=rng.randint(2, 5), d_kv=d_kv, width=rng.choice([48, 64, 128]), hidden=rng.choice([80, 160]),
            files=['F32', 'F16', 'BF16'][i % 3], shard=shard, batch=[1, 3][i % 2],
            **({'buckets': 16, 'distance': 64} if i == 3 else {}),
        )
    for channels, layers, groups, sample_size, latent, files in [
        ((8, 8, 16, 16), 1, 4, 64, (6, 10), 'F32'), ((16, 32, 32, 64), 2, 8, 512, (14, 8), 'F16'),
        ((8, 16, 16, 24), 2, 8, 64, (12, 20), 'F32'), ((32, 32, 64, 64), 2, 32, 128, (9, 24), 'BF16'),
    ]:
        yield vae_cases, dict(channels=channels, layers=layers, groups=groups, sample_size=sample_size, latent=latent, files=files)
    yield pipeline_case, dict(steps=20, scale=4.5, size=(96, 160), prompt='A red boat on the sea at sunset, photo.')
    yield pipeline_case, dict(steps=14, scale=3, size=(160, 64), files='F16', prompt='small dog & large cat — “painting” 12:34',
                              negative='blue house, night')
    yield pipeline_case, dict(steps=5, scale=1, size=(128, 128), prompt='  Happy <b>tree</b> ', clean=False)
    yield pipeline_case, dict(steps=20, scale=4.5, size=(128, 96), prompt='the night sky with a house ' * 9, files='BF16',
                              compression=('conv', 2, [1, 2]))
    yield pipeline_case, dict(steps=4, scale=1, size=(96, 96), sampler='LCM', prompt='a cat and a dog')


def versions() -> str:
    modules = ' · '.join(f'{m.__name__} {m.__version__}' for m in (torch, diffusers, transformers, np))
    runtime = json.loads((ROOT / 'node_modules/onnxruntime-node/package.json').read_text())['version']
    node = subprocess.run(['node', '--version'], capture_output=True, text=True, check=True).stdout.strip()
    return f'Python {platform.python_version()} · {modules} · onnxruntime-node {runtime} · Node {node}'


def report(rows: list[Row], seed: int) -> str:
    worst = {}
    for row in rows:
        worst[row.network] = max(worst.get(row.network, (0, 0)), (row.error, row.bound))
    lines = [
        '# Parity with the reference implementation', '',
        'Random weights in random configurations, run through PyTorch (diffusers, transformers) in float32 and through',
        "Easel's own doors on ONNX Runtime's CPU provider; the error is ‖ours − reference‖₂ / ‖reference‖₂ over all outputs.",
        'Files in F16 and BF16 are computed with in float32 on both sides. The reference pads prompts and masks; Easel runs',
        'them at their own length. Key/value compression is not in diffusers: its reference is written from the paper.',
        'Pipelines start from the same seeded noise, and their token ids are compared too.', '',
        f'```sh\npip install -r training/requirements.txt -r training/requirements-parity.txt\npython -m training.parity --seed {seed} --out docs/parity.md\n```', '',
        versions(), '',
        '| network | cases | worst error | bound |', '| --- | --- | --- | --- |',
    ]
    for network in dict.fromkeys(row.network for row in rows):
        for bound in sorted({row.bound for row in rows if row.network == network}):
            own = [row for row in rows if row.network == network and row.bound == bound]
            name = f'{network}, compressed' if bound == COMPRESSED else network
            lines.append(f'| {name} | {len(own)} | {max(r.error for r in own):.1e} | {bound:.0e} |')
    lines += ['', '| network | configuration | files | inputs | error | bound |', '| --- | --- | --- | --- | --- | --- |']
    for row in rows:
        mark = '' if row.error <= row.bound else ' **over**'
        lines.append(f'| {row.network} | {row.configuration} | {row.files} | {row.inputs} | {row.error:.1e}{mark} | {row.bound:.0e} |')
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--out', type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.nice(10)
    transformers.utils.logging.disable_progress_bar()
    rng, generator, rows = random.Random(options.seed), torch.Generator().manual_seed(options.seed), []
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Easel(Path(folder))) as easel:
        for number, (case, arguments) in enumerate(cases(rng)):
            result = case(easel, rng, generator, Path(folder) / f'case-{number}', **arguments)
            for row in [result] if isinstance(result, Row) else result:
                rows.append(row)
                print(f'{row.error:.1e} {"ok  " if row.error <= row.bound else "OVER"} {row.network}: {row.configuration}; {row.files}; {row.inputs}',
                      flush=True)
    text = report(rows, options.seed)
    if options.out:
        options.out.write_text(text)
    sys.exit(any(row.error > row.bound for row in rows))


if __name__ == '__main__':
    main()
