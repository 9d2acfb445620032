"""What the VAE keeps of a picture, which bounds everything after it: `python -m training.evaluate.reconstruction`.

Over unseen renderings at 256 px: PSNR, and the gradient energy of reconstructions over that of the renderings.
"""

import argparse
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from ..cache import final_vae
from ..painting import render
from ..train_vae import to_tensor
from ..world import sample_spec
from .sharpness import gradient_energy


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--count', type=int, default=32)
    parser.add_argument('--out', type=Path, help='also a sheet: the first eight renderings over their reconstructions')
    args = parser.parse_args()
    rng, vae, ratios, energies, columns = Random(77), final_vae(), [], [], []
    for _ in range(args.count):
        picture, _ = render(sample_spec(rng), rng.getrandbits(31))
        pixels = to_tensor(picture)[None]
        out = vae.decode(vae.encode(pixels)[0]).clamp(-1, 1)
        ratios.append(-10 * ((out - pixels) / 2).square().mean().log10().item())
        energies.append((gradient_energy(out), gradient_energy(pixels)))
        columns.append(np.concatenate([picture, ((out[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()]))
    made, real = map(sum, zip(*energies))
    print(f'{args.count} pictures: {sum(ratios) / len(ratios):.2f} dB, gradient energy {made / real:.3f} of the renderings')
    if args.out:
        Image.fromarray(np.concatenate(columns[:8], 1)).save(args.out)


if __name__ == '__main__':
    main()
