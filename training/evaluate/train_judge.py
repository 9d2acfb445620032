"""Train the judge on rendered pictures: `python -m training.evaluate.train_judge --minutes 20`; the same command goes on.

At the end it is scored on unseen pictures, held-out combinations included, also after a round trip through the VAE.
"""

import argparse
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from .. import checkpoint
from ..cache import final_vae, patch_labels
from ..checkpoint import CORES
from ..painting import render
from ..scenery import TIMES
from ..settings import SETTINGS
from ..train_vae import to_tensor
from ..twins import Twins
from ..vae import Vae
from ..world import sample_spec, training_spec
from .compare import Tally, compare
from .judge import CELLS, PATH, SIDE, Judge, judge

BATCH, RATE = 16 * CORES, 2e-3
WEIGHTS = {'things': 1.0, 'colours': 1.0, 'setting': 0.3, 'time': 0.3, 'number': 0.5}


class Pictures(IterableDataset):
    """Averaged to 128 px, now and then a little blurred, dimmed or noisy."""

    def __init__(self, seed: int):
        self.seed = seed

    def __iter__(self):
        rng = Random(self.seed)
        torch.manual_seed(self.seed)
        while True:
            spec = training_spec(rng)
            picture, placed = render(spec, rng.getrandbits(31), (16, 16), SIDE)
            kinds, _ = patch_labels(spec, placed, (16, 16), CELLS)
            number = spec.groups[0].count - 1 if len(spec.groups) == 1 else -100
            yield disturbed(rng, to_tensor(picture)), torch.from_numpy(kinds).long(), SETTINGS.index(spec.setting), TIMES.index(spec.time), number


def disturbed(rng: Random, pixels: Tensor) -> Tensor:
    if rng.random() < 0.5:
        small = F.interpolate(pixels[None], scale_factor=rng.uniform(0.45, 0.9), mode='bilinear', antialias=True)
        pixels = F.interpolate(small, (SIDE, SIDE), mode='bilinear')[0]
    if rng.random() < 0.5:
        pixels = pixels * rng.uniform(0.92, 1.05) + rng.uniform(-0.04, 0.04) + rng.uniform(0, 0.06) * torch.randn_like(pixels)
    return pixels


def losses(model: Judge, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    pixels, kinds, *targets = batch
    with torch.autocast('cpu', torch.bfloat16):
        outputs = model(pixels)
    parts = [F.cross_entropy(output.float(), target, reduction='sum') / (target >= 0).sum().clamp(min=1) for output, target in zip(outputs, (kinds[:, 0], kinds[:, 1], *targets))]
    return sum(weight * part for weight, part in zip(WEIGHTS.values(), parts)), *parts


@torch.no_grad()
def score(model: Judge, count: int, vae: Vae | None = None, seed: int = 424_242) -> Tally:
    rng, tally = Random(seed), Tally()
    for _ in range(count):
        spec = sample_spec(rng)
        pixels = to_tensor(render(spec, rng.getrandbits(31))[0])[None]
        if vae:
            pixels = vae.decode(vae.encode(pixels)[0]).clamp(-1, 1)
        tally.add(compare(spec, judge(model, pixels)[0]))
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=20, help='in all, resumed time included')
    parser.add_argument('--count', type=int, default=500, help='pictures to score it on')
    args = parser.parse_args()
    checkpoint.write_pid()
    model = Judge()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    state = checkpoint.load(PATH) or {'step': 0, 'minutes': 0.0}
    if state['step']:
        model.load_state_dict(state['model'])
        optimizer.load_state_dict(state['optimizer'])
    twins, step, clock = Twins(model), state['step'], checkpoint.Clock(state['minutes'])

    def save():
        checkpoint.save(PATH, {'step': step, 'minutes': clock.minutes(), 'model': model.state_dict(), 'optimizer': optimizer.state_dict()})

    for batch in DataLoader(Pictures(step + 1), batch_size=BATCH, num_workers=1, prefetch_factor=4):
        done = clock.minutes() / args.minutes
        if done >= 1:
            break
        optimizer.param_groups[0]['lr'] = RATE * min(1, (step + 1) / 50, 0.02 + (1 - done) / 0.6)
        values = twins.backward(losses, list(zip(*(part.chunk(CORES) for part in batch))))
        twins.collect(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f'{clock.minutes():6.1f} min  pictures {step * BATCH}  losses', *(f'{name} {value:.3f}' for name, value in zip(WEIGHTS, values)), flush=True)
        if clock.time_to_save():
            save()
    save()
    model.eval()
    print('unseen pictures', score(model, args.count), sep='\n')
    print('after a round trip through the VAE', score(model, args.count, final_vae()), sep='\n')


if __name__ == '__main__':
    main()
