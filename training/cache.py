"""Render pictures and keep their latents: `python -m training.cache --pixels 128 --count 30000`; the same command goes on.

A shard holds pictures of one bin: latents, specs, and for every patch of the transformer what stands there.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from . import checkpoint
from .painting import render, silhouettes
from .things import THINGS
from .train_vae import to_tensor
from .vae import Vae
from .world import BIN_SHARES, BINS, HUES, Spec, sample_spec, training_spec

VAE = checkpoint.RUNS / 'vae-final.pt'
SHARD, VALIDATION = 500, 90_000  # pictures in a shard; number of the first shard that training does not see


def folder(pixels: int) -> Path:
    return checkpoint.RUNS / f'cache-{pixels}'


def patch_labels(spec: Spec, placed, bin_, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Per patch: thing and colour, 0 for none, (2, h, w); where in the thing it lies, (2, h, w)."""
    height, width = bin_[0] * cells // 16, bin_[1] * cells // 16
    kinds, places = np.zeros((2, height, width), np.uint8), np.zeros((2, height, width), np.float16)
    y, x = (np.mgrid[0:height, 0:width] + 0.5) / cells
    for item, cover in zip(placed, silhouettes(spec, placed, bin_, cells)):
        group, here = spec.groups[item.group], cover > 0.3
        kinds[0][here] = 1 + list(THINGS).index(group.thing)
        kinds[1][here] = 1 + HUES.index(group.color)
        places[0][here] = ((x - item.x) / item.size)[here]
        places[1][here] = ((y - item.y) / item.size + 0.5)[here]
    return kinds, places


class Shard(Dataset):
    def __init__(self, number: int, pixels: int):
        self.number, self.pixels = number, pixels
        self.bin = Random(f'bin {number}').choices(BINS, BIN_SHARES)[0]

    def __len__(self):
        return SHARD

    def __getitem__(self, i: int):
        rng = Random(f'{self.pixels} {self.number} {i}')
        spec = sample_spec(rng) if self.number >= VALIDATION else training_spec(rng)
        picture, placed = render(spec, rng.getrandbits(31), self.bin, self.pixels)
        return to_tensor(picture), spec, *patch_labels(spec, placed, self.bin, self.pixels // 16)


def collate(rows):
    pixels, specs, kinds, places = zip(*rows)
    return torch.stack(pixels), list(specs), np.stack(kinds), np.stack(places)


@torch.no_grad()
def standardise(vae: Vae, pictures: int = 192):
    """Fold each latent channel's mean and deviation into the outermost 1 x 1 convolutions: latents become N(0, 1)."""
    loader = DataLoader(Shard(VALIDATION - 1, 256), batch_size=16, collate_fn=collate)
    latents = torch.cat([vae.encode(batch[0])[0] for _, batch in zip(range(pictures // 16), loader)])
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    count = mean.numel()
    inner, outer = vae.post_quant_conv, vae.quant_conv
    inner.bias += inner.weight[:, :, 0, 0] @ mean
    inner.weight *= std.view(1, -1, 1, 1)
    outer.weight[:count] /= std.view(-1, 1, 1, 1)
    outer.bias[:count] = (outer.bias[:count] - mean) / std
    outer.bias[count:] -= 2 * std.log()
    print(f'latent means {mean.tolist()}, deviations {std.tolist()}', flush=True)


def final_vae() -> Vae:
    """The trained VAE with standardised latents; fixed the first time it is asked for."""
    vae = Vae()
    if not VAE.exists():
        vae.load_state_dict(checkpoint.load(checkpoint.RUNS / 'vae.pt')['vae'])
        standardise(vae)
        checkpoint.save(VAE, {'vae': vae.state_dict()})
    vae.load_state_dict(checkpoint.load(VAE)['vae'])
    return vae.eval()


@torch.no_grad()
def encode_shard(vae: Vae, number: int, pixels: int):
    shard, batches = Shard(number, pixels), []
    for start in range(0, SHARD, 25):
        images, specs, kinds, places = collate([shard[i] for i in range(start, start + 25)])
        with torch.autocast('cpu', torch.bfloat16):
            batches.append((vae.encode(images)[0].half(), specs, kinds, places))
    latents, specs, kinds, places = zip(*batches)
    state = {'latents': torch.cat(latents), 'specs': sum(specs, []), 'kinds': torch.from_numpy(np.concatenate(kinds)), 'places': torch.from_numpy(np.concatenate(places))}
    checkpoint.save(folder(pixels) / f'{number:05}.pt', state)
    print(f'shard {number}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pixels', type=int, choices=(128, 256), required=True)
    parser.add_argument('--count', type=int, default=30_000)
    args = parser.parse_args()
    checkpoint.write_pid()
    vae = final_vae()
    missing = [n for n in (VALIDATION, *range(args.count // SHARD)) if not (folder(args.pixels) / f'{n:05}.pt').exists()]
    torch.set_num_threads(1)
    with ThreadPoolExecutor(checkpoint.CORES, initializer=lambda: torch.set_num_threads(1)) as pool:
        list(pool.map(lambda number: encode_shard(vae, number, args.pixels), missing))


if __name__ == '__main__':
    main()
