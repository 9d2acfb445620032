"""Does a model know which thing is on the left, and which is red? `python -m training.evaluate.binding --stage low`.

Noised renderings of two things side by side are denoised with their caption, with the sides exchanged in it, with the
colours exchanged, and without a caption. Where the loss is the same, the model does not read that part of the caption.
"""

import argparse
from random import Random

import torch
from torch import Tensor

from ..cache import final_vae
from ..captions import SETTING_PHRASES, TIME_PHRASES
from ..diffusion import add_noise
from ..latents import tokens
from ..objective import Model
from ..painting import render
from ..sample import load
from ..stages import STAGES
from ..train_vae import to_tensor
from ..world import Spec, sample_spec

OTHER = {'left': 'right', 'right': 'left'}
TIMESTEPS = (900, 700, 500, 300)


def specs(rng: Random, count: int) -> list[Spec]:
    """Two single things of different colours, side by side."""
    found = []
    while len(found) < count:
        spec = sample_spec(rng, two_groups=1)
        if spec.relation in OTHER and all(group.count == 1 and group.color for group in spec.groups):
            found.append(spec)
    return found


def captions(spec: Spec) -> dict[str, str]:
    (a, b), place = spec.groups, f'{SETTING_PHRASES[spec.setting][0]} {TIME_PHRASES[spec.time][0]}'
    side = spec.relation
    return {
        'right': f'a {a.color} {a.thing} {side} of a {b.color} {b.thing} {place}',
        'sides exchanged': f'a {a.color} {a.thing} {OTHER[side]} of a {b.color} {b.thing} {place}',
        'colours exchanged': f'a {b.color} {a.thing} {side} of a {a.color} {b.thing} {place}',
        'none': '',
    }


@torch.no_grad()
def error(model: Model, noised: Tensor, noise: Tensor, timestep: int, texts: list[str]) -> float:
    total = 0.0
    for i in range(0, len(texts), 16):
        ids, mask = tokens(texts[i : i + 16])
        out = model(noised[i : i + 16], torch.full((len(ids),), timestep), ids, mask)
        total += (out[:, :4].float() - noise[i : i + 16]).square().mean((1, 2, 3)).sum().item()
    return total / len(texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--stage', choices=STAGES, required=True)
    parser.add_argument('--count', type=int, default=96)
    args = parser.parse_args()
    rng, model, vae = Random(5), load(args.stage), final_vae()
    shown = specs(rng, args.count)
    with torch.no_grad():
        latents = torch.cat([vae.encode(to_tensor(render(spec, rng.getrandbits(31), (16, 16), STAGES[args.stage].pixels)[0])[None])[0] for spec in shown])
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    worded = [captions(spec) for spec in shown]
    print('timestep  ' + '  '.join(f'{name:>17}' for name in worded[0]))
    for t in TIMESTEPS:
        noised = add_noise(latents, noise, torch.full((len(latents),), t))
        errors = [error(model, noised, noise, t, [texts[name] for texts in worded]) for name in worded[0]]
        print(f'{t:8}  ' + '  '.join(f'{value:17.5f}' for value in errors), flush=True)


if __name__ == '__main__':
    main()
