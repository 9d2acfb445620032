"""Train the VAE on rendered pictures: `python -m training.train_vae --minutes 40`; the same command goes on.

With `--from-exported`, the first start takes the weights of the exported folder.
"""

import argparse
import math
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from . import checkpoint
from .checkpoint import CORES
from .muon import Muon
from .painting import render
from .twins import Twins
from .vae import Vae
from .world import sample_spec, training_spec

PATH = checkpoint.RUNS / 'vae.pt'
EXPORTED = checkpoint.MODEL / 'vae'
CROP, BATCH = 128, 4 * CORES
MUON_RATE, ADAM_RATE = 1e-3, 3e-4
KL_WEIGHT, GRADIENT_WEIGHT = 5e-4, 0.5


class Crops(IterableDataset):
    """From each rendered 256 px picture two crops, taken where there is much to see, and the whole at 128 px."""

    def __init__(self, seed: int):
        self.seed = seed

    def __iter__(self):
        rng = Random(self.seed)
        while True:
            picture = to_tensor(render(training_spec(rng), rng.getrandbits(31))[0])
            for _ in range(2):
                yield max((self.crop(rng, picture) for _ in range(2)), key=lambda crop: sum(e.abs().mean() for e in edges(crop)))
            yield F.avg_pool2d(picture, 2)

    @staticmethod
    def crop(rng: Random, picture: Tensor) -> Tensor:
        y, x = (rng.randrange(side - CROP + 1) for side in picture.shape[1:])
        return picture[:, y : y + CROP, x : x + CROP]


def to_tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 127.5 - 1


def edges(image: Tensor) -> tuple[Tensor, Tensor]:
    return image[..., 1:] - image[..., :-1], image[..., 1:, :] - image[..., :-1, :]


def losses(vae: Vae, pixels: Tensor) -> tuple[Tensor, Tensor]:
    mean, logvar = vae.encode(pixels)
    mean, logvar = mean.float(), logvar.float()
    out = vae.decode(mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)).float()
    difference = out - pixels
    gradient = sum(e.abs().mean() for e in edges(difference))
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    mse = difference.square().mean()
    loss = difference.abs().mean() + mse + GRADIENT_WEIGHT * gradient + KL_WEIGHT * kl
    return loss, mse


@torch.no_grad()
def psnr(vae: Vae, count: int = 16, seed: int = 999_983) -> float:
    """Over whole 256 px pictures that training has not seen, held-out combinations included."""
    rng, total = Random(seed), 0.0
    for _ in range(count):
        pixels = to_tensor(render(sample_spec(rng), rng.getrandbits(31))[0])[None]
        out = vae.decode(vae.encode(pixels)[0]).clamp(-1, 1)
        total += -10 * math.log10(((out - pixels) / 2).square().mean().item())
    return total / count


def optimizers_of(vae: Vae) -> tuple[Muon, torch.optim.AdamW]:
    matrices = [p for p in vae.parameters() if p.ndim > 1 and len(p) > 4]
    others = [p for p in vae.parameters() if p.ndim == 1 or len(p) <= 4]
    return Muon(matrices, lr=MUON_RATE), torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.99), weight_decay=0)


def start(from_exported: bool) -> tuple[Vae, dict]:
    """The network and the state of the checkpoint, if there is one."""
    vae, state = Vae(), checkpoint.load(PATH)
    if state:
        vae.load_state_dict(state['vae'])
    elif from_exported:
        vae.load_state_dict(checkpoint.read_folder(EXPORTED))
    return vae, state or {'step': 0, 'minutes': 0.0, 'optimizers': []}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=40, help='in all, resumed time included')
    parser.add_argument('--from-exported', action='store_true', help='start from models/easel-mini/vae instead of from nothing')
    args = parser.parse_args()
    checkpoint.write_pid()
    vae, state = start(args.from_exported)
    optimizers = optimizers_of(vae)
    for optimizer, saved in zip(optimizers, state['optimizers']):
        optimizer.load_state_dict(saved)
    twins, step, clock, mean_loss = Twins(vae), state['step'], checkpoint.Clock(state['minutes']), None
    torch.manual_seed(step)

    def save():
        checkpoint.save(PATH, {'step': step, 'minutes': clock.minutes(), 'vae': vae.state_dict(), 'optimizers': [o.state_dict() for o in optimizers]})

    def autocast_losses(model: Vae, pixels: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast('cpu', torch.bfloat16):
            return losses(model, pixels)

    for pixels in DataLoader(Crops(seed=step + 1), batch_size=BATCH, num_workers=1, prefetch_factor=4):
        done = clock.minutes() / args.minutes
        if done >= 1:
            break
        pace = min(1, (step + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        for optimizer, rate in zip(optimizers, (MUON_RATE, ADAM_RATE)):
            optimizer.param_groups[0]['lr'] = rate * pace
        (mse,) = twins.backward(autocast_losses, pixels.chunk(CORES))
        twins.collect(vae.parameters())
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        twins.map(lambda optimizer: optimizer.step(), optimizers)
        step += 1
        mean_loss = mse if mean_loss is None else 0.98 * mean_loss + 0.02 * mse
        if step % 50 == 0:
            print(f'{clock.minutes():6.1f} min  step {step}  crops {step * BATCH}  psnr {10 * math.log10(4 / mean_loss):.2f}', flush=True)
        if clock.time_to_save():
            save()
    save()
    print(f'psnr at 256 px, unseen pictures: {psnr(vae):.2f} dB')


if __name__ == '__main__':
    main()
