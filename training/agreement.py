"""What each step from weak to strong costs and wins: `python -m training.agreement`.

Prints the validation loss before and after each stage, and how far the compressed model agrees with the uncompressed
one, freshly switched on and after its fine-tuning.
"""

import argparse

import torch
from torch import Tensor

from . import checkpoint
from .diffusion import add_noise
from .latents import Batch, Latents
from .objective import Model
from .sample import load
from .stages import STAGES, path


@torch.no_grad()
def predictions(model: Model, batch: Batch) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(batch.latents.shape, generator=generator)
    t = ((torch.arange(len(noise)) + 0.5) * 1000 / len(noise)).long()
    noised = add_noise(batch.latents, noise, t)
    parts = [model(noised[i : i + 16], t[i : i + 16], batch.ids[i : i + 16], batch.mask[i : i + 16])[:, :4] for i in range(0, len(noise), 16)]
    return torch.cat(parts).float()


def agreement(a: Tensor, b: Tensor) -> str:
    cosine = torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1)).mean().item()
    difference = ((a - b).norm() / a.norm()).item()
    return f'cosine {cosine:.4f}, relative difference {difference:.3f}'


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for stage in STAGES:
        state = checkpoint.load(path(stage))
        first, last = state['history'][0], state['history'][-1]
        print(f'{stage}: {last["samples"]} samples in {last["minutes"]:.0f} min, validation {first["validation"]:.4f} -> {last["validation"]:.4f}')
    batch = Latents(256, validation=True).fixed(64)
    plain, fresh, tuned = load('high', torch.float32), load('high', torch.float32), load('compressed', torch.float32)
    fresh.transformer.add_compression()
    reference = predictions(plain, batch)
    print('compression switched on:', agreement(reference, predictions(fresh, batch)))
    print('after fine-tuning:', agreement(reference, predictions(tuned, batch)))


if __name__ == '__main__':
    main()
