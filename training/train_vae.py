"""Train the VAE on rendered pictures: `python -m training.train_vae --minutes 22`; the same command goes on."""

import argparse
import math
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from . import checkpoint
from .muon import Muon
from .vae import Vae
from .world import render, sample_spec, training_spec

PATH = checkpoint.RUNS / 'vae.pt'
CROP, BATCH = 128, 4
MUON_RATE, ADAM_RATE = 6e-3, 1e-3
KL_WEIGHT, GRADIENT_WEIGHT = 5e-4, 0.5


class Crops(IterableDataset):
    """Half 128 px pictures, half crops of 256 px ones."""

    def __init__(self, seed: int):
        self.seed = seed

    def __iter__(self):
        rng = Random(self.seed)
        while True:
            pixels = rng.choice((128, 256))
            picture, _ = render(training_spec(rng), rng.getrandbits(31), (16, 16), pixels)
            y, x = (rng.randrange(pixels - CROP + 1) for _ in range(2))
            yield to_tensor(picture[y : y + CROP, x : x + CROP])


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=22, help='in all, resumed time included')
    args = parser.parse_args()
    torch.manual_seed(0)
    vae = Vae()
    optimizers = optimizers_of(vae)
    state = checkpoint.load(PATH) or {'step': 0, 'minutes': 0.0}
    if state['step']:
        vae.load_state_dict(state['vae'])
        for optimizer, saved in zip(optimizers, state['optimizers']):
            optimizer.load_state_dict(saved)
    step, clock, mean_loss = state['step'], checkpoint.Clock(state['minutes']), None

    def save():
        checkpoint.save(PATH, {'step': step, 'minutes': clock.minutes(), 'vae': vae.state_dict(), 'optimizers': [o.state_dict() for o in optimizers]})

    for pixels in DataLoader(Crops(seed=step + 1), batch_size=BATCH, num_workers=1, prefetch_factor=4):
        done = clock.minutes() / args.minutes
        if done >= 1:
            break
        pace = min(1, (step + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        for optimizer, rate in zip(optimizers, (MUON_RATE, ADAM_RATE)):
            optimizer.param_groups[0]['lr'] = rate * pace
        with torch.autocast('cpu', torch.bfloat16):
            loss, mse = losses(vae, pixels)
        vae.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        mean_loss = mse.item() if mean_loss is None else 0.98 * mean_loss + 0.02 * mse.item()
        if step % 100 == 0:
            print(f'{clock.minutes():6.1f} min  step {step}  crops {step * BATCH}  psnr {10 * math.log10(4 / mean_loss):.2f}', flush=True)
        if clock.time_to_save():
            save()
    save()
    print(f'psnr at 256 px, unseen pictures: {psnr(vae):.2f} dB')


if __name__ == '__main__':
    main()
