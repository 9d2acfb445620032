"""The judge, trained on rendered pictures only: `python -m training.evaluate.classifier --minutes 8`.

It says for each of 8 x 8 cells which thing and which colour stands there, and for the picture its setting, its time
and how many things there are.
"""

import argparse
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from .. import checkpoint
from ..cache import final_vae, patch_labels
from ..scenery import SETTINGS, TIMES
from ..things import COLORS, THINGS
from ..train_vae import to_tensor
from ..world import Spec, render, sample_spec, training_spec

PATH = checkpoint.RUNS / 'classifier.pt'
BATCH, RATE, CELLS, MOST = 32, 2e-3, 8, 3
THING_NAMES, COLOR_NAMES = list(THINGS), list(COLORS)


def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU())


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        # 128 px, or 256 px averaged to it, to 8 x 8 cells
        self.body = nn.Sequential(
            block(3, 32, 2), block(32, 64, 2), block(64, 64, 1), block(64, 128, 2), block(128, 128, 1), block(128, 192, 2), block(192, 192, 1), block(192, 192, 1)
        )  # fmt: skip
        self.cells = nn.Conv2d(192, 1 + len(THINGS) + 1 + len(COLORS), 1)
        self.picture = nn.Sequential(nn.Conv2d(192, 32, 1), nn.SiLU(), nn.Flatten(), nn.Linear(32 * CELLS * CELLS, 128), nn.SiLU(), nn.Linear(128, len(SETTINGS) + len(TIMES) + MOST))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Logits of things and colours per cell, (B, 25 or 11, 8, 8), of setting, time and number, (B, n)."""
        x = self.body(pixels)
        things, colors = self.cells(x).split((1 + len(THINGS), 1 + len(COLORS)), dim=1)
        return things, colors, *self.picture(x).split((len(SETTINGS), len(TIMES), MOST), dim=1)


class Verdict:
    """What the judge sees in one picture."""

    def __init__(self, things: Tensor, colors: Tensor, setting: Tensor, time: Tensor, number: Tensor):
        self.things = things.softmax(0)[1:].sum((1, 2))  # cells' worth of each thing
        here = 1 - things.softmax(0)[0]
        self.color_cells = colors.softmax(0)[1:] * here  # (10, 8, 8)
        self.colors = self.color_cells.sum((1, 2))
        self.setting, self.time = SETTINGS[int(setting.argmax())], TIMES[int(time.argmax())]
        self.number = 1 + int(number.argmax())

    def center(self, color: str) -> tuple[float, float]:
        """Where the colour lies, in cells from the left and from the top."""
        cells = self.color_cells[COLOR_NAMES.index(color)]
        place = torch.arange(CELLS, dtype=cells.dtype)
        return tuple(((cells.sum(axis) * place).sum() / cells.sum()).item() for axis in (0, 1))

    def things_seen(self, count: int) -> set[str]:
        return {THING_NAMES[i] for i in self.things.topk(count).indices}

    def colors_seen(self, count: int) -> set[str]:
        return {COLOR_NAMES[i] for i in self.colors.topk(count).indices}


@torch.no_grad()
def judge(model: Classifier, pixels: Tensor) -> list[Verdict]:
    """(B, 3, H, W) in [-1, 1], averaged down to 128 x 128."""
    outputs = model(F.interpolate(pixels, (128, 128), mode='area'))
    return [Verdict(*(output[i] for output in outputs)) for i in range(len(pixels))]


class Pictures(IterableDataset):
    """Rendered at 256 px, averaged to 128, now and then a little blurred, dimmed or noisy."""

    def __init__(self, seed: int):
        self.seed = seed

    def __iter__(self):
        rng = Random(self.seed)
        torch.manual_seed(self.seed)
        while True:
            spec = training_spec(rng)
            picture, placed = render(spec, rng.getrandbits(31))
            pixels = F.avg_pool2d(to_tensor(picture), 2)
            if rng.random() < 0.5:
                scale = rng.uniform(0.45, 0.9)
                small = F.interpolate(pixels[None], scale_factor=scale, mode='bilinear', antialias=True)
                pixels = F.interpolate(small, (128, 128), mode='bilinear')[0]
            if rng.random() < 0.5:
                pixels = pixels * rng.uniform(0.92, 1.05) + rng.uniform(-0.04, 0.04) + rng.uniform(0, 0.06) * torch.randn_like(pixels)
            kinds, _ = patch_labels(spec, placed, (16, 16), CELLS)
            number = spec.groups[0].count - 1 if len(spec.groups) == 1 else -100
            yield pixels, torch.from_numpy(kinds).long(), SETTINGS.index(spec.setting), TIMES.index(spec.time), number


def score(model: Classifier, count: int, vae=None, seed: int = 424_242) -> dict[str, float]:
    """Shares right on unseen rendered pictures, held-out combinations included; with a VAE, after a round trip."""
    rng, tally = Random(seed), {}
    with torch.no_grad():
        for _ in range(count):
            spec = sample_spec(rng)
            pixels = to_tensor(render(spec, rng.getrandbits(31))[0])[None]
            if vae:
                pixels = vae.decode(vae.encode(pixels)[0]).clamp(-1, 1)
            for name, right in compare(spec, judge(model, pixels)[0]).items():
                tally.setdefault(name, []).append(right)
    return {name: sum(rights) / len(rights) for name, rights in tally.items()}


def compare(spec: Spec, verdict: Verdict) -> dict[str, bool]:
    groups = spec.groups
    colors = verdict.colors_seen(len(groups)) == {g.color for g in groups}
    things = verdict.things_seen(len(groups)) == {g.thing for g in groups}
    rights = {'setting': verdict.setting == spec.setting, 'time': verdict.time == spec.time}
    if len(groups) == 2:
        x, y = (a - b for a, b in zip(verdict.center(groups[0].color), verdict.center(groups[1].color)))
        sides = {'left': x < 0, 'right': x > 0, 'above': y < 0, 'below': y > 0}
        # The colours could be right and on the wrong things; then they lie on the wrong sides.
        placed = colors and (groups[0].color == groups[1].color or sides[spec.relation])
        return rights | {'both colours': colors, 'both colours, each on its side': placed, 'both things': things}
    rights |= {'colour': colors, 'thing': things}
    if things:
        rights['count where the thing is recognised'] = verdict.number == groups[0].count
    return rights | {'all': colors and things and all(rights.values())}


def load() -> Classifier:
    model = Classifier()
    model.load_state_dict(checkpoint.load(PATH)['model'])
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=8, help='in all, resumed time included')
    parser.add_argument('--count', type=int, default=300, help='pictures to score it on')
    args = parser.parse_args()
    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    state = checkpoint.load(PATH) or {'step': 0, 'minutes': 0.0}
    if state['step']:
        model.load_state_dict(state['model'])
        optimizer.load_state_dict(state['optimizer'])
    step, clock = state['step'], checkpoint.Clock(state['minutes'])

    def save():
        checkpoint.save(PATH, {'step': step, 'minutes': clock.minutes(), 'model': model.state_dict(), 'optimizer': optimizer.state_dict()})

    for pixels, kinds, setting, time, number in DataLoader(Pictures(step + 1), batch_size=BATCH, num_workers=1, prefetch_factor=4):
        done = clock.minutes() / args.minutes
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group['lr'] = RATE * min(1, (step + 1) / 50, 0.02 + (1 - done) / 0.6)
        with torch.autocast('cpu', torch.bfloat16):
            outputs = model(pixels)
        weights = (1.0, 1.0, 0.3, 0.3, 0.5)
        targets = (kinds[:, 0], kinds[:, 1], setting, time, number)
        losses = [F.cross_entropy(output.float(), target) for output, target in zip(outputs, targets)]
        optimizer.zero_grad(set_to_none=True)
        sum(weight * loss for weight, loss in zip(weights, losses) if loss.isfinite()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f'{clock.minutes():6.1f} min  pictures {step * BATCH}  losses', *(f'{loss.item():.3f}' for loss in losses), flush=True)
        if clock.time_to_save():
            save()
    save()
    model.eval()
    print('unseen pictures:', score(model, args.count))
    print('after a round trip through the VAE:', score(model, args.count, final_vae()))


if __name__ == '__main__':
    main()
