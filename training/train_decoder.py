"""Train the VAE's decoder further while its latents stay as they are: `python -m training.train_decoder --minutes 60`.

The caches and the transformer stay valid. The same command goes on; each save also replaces the decoder in
`runs/vae-final.pt`.
"""

import argparse
import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from . import checkpoint
from .cache import VAE, final_vae
from .checkpoint import CORES
from .muon import Muon
from .train_vae import BATCH, GRADIENT_WEIGHT, Crops, edges, psnr
from .twins import Twins
from .vae import Vae

PATH = checkpoint.RUNS / 'decoder.pt'
MUON_RATE, ADAM_RATE = 1e-3, 3e-4
LATENT_NOISE = 0.08  # of latents of deviation 1: the transformer's are not exact either


def losses(vae: Vae, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """L1 at full and at half resolution, squared error and gradients."""
    with torch.autocast('cpu', torch.bfloat16):
        with torch.no_grad():
            mean = vae.encode(pixels)[0].float()
        out = vae.decode(mean + LATENT_NOISE * torch.rand(len(mean), 1, 1, 1) * torch.randn_like(mean)).float()
    difference = out - pixels
    mse = difference.square().mean()
    gradient = sum(edge.abs().mean() for edge in edges(difference))
    return difference.abs().mean() + F.avg_pool2d(difference, 2).abs().mean() + mse + GRADIENT_WEIGHT * gradient, mse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, required=True, help='in all, resumed time included')
    args = parser.parse_args()
    checkpoint.write_pid()
    vae = final_vae().requires_grad_(False)
    vae.decoder.requires_grad_(True)
    parameters = list(vae.decoder.parameters())
    optimizers = (
        Muon([p for p in parameters if p.ndim > 1 and len(p) > 4], lr=MUON_RATE),
        torch.optim.AdamW([p for p in parameters if p.ndim == 1 or len(p) <= 4], lr=ADAM_RATE, betas=(0.9, 0.99), weight_decay=0),
    )
    state = checkpoint.load(PATH) or {'step': 0, 'minutes': 0.0, 'optimizers': []}
    for optimizer, saved in zip(optimizers, state['optimizers']):
        optimizer.load_state_dict(saved)
    print(f'psnr at 256 px, unseen pictures: {psnr(vae):.2f} dB', flush=True)
    twins, step, clock, mean_loss = Twins(vae), state['step'], checkpoint.Clock(state['minutes']), None

    def save():
        checkpoint.save(PATH, {'step': step, 'minutes': clock.minutes(), 'optimizers': [o.state_dict() for o in optimizers]})
        checkpoint.save(VAE, {'vae': vae.state_dict()})

    for pixels in DataLoader(Crops(seed=1_000_000 + step), batch_size=BATCH, num_workers=1, prefetch_factor=4):
        done = clock.minutes() / args.minutes
        if done >= 1:
            break
        pace = min(1, (step + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        for optimizer, rate in zip(optimizers, (MUON_RATE, ADAM_RATE)):
            optimizer.param_groups[0]['lr'] = rate * pace
        (mse,) = twins.backward(losses, pixels.chunk(CORES))
        twins.collect(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
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
