"""Teach the text encoder what captions say, before there are pictures: `python -m training.train_text --minutes 4`."""

import argparse
from random import Random

import torch
from torch import Tensor, nn

from . import checkpoint, tokenizer
from .caption_labels import CaptionHead, padded, training_caption
from .checkpoint import CORES
from .t5 import T5
from .twins import Twins
from .world import sample_spec, training_spec

PATH = checkpoint.RUNS / 'text.pt'
BATCH, RATE = 16 * CORES, 2e-3
NAMES = ('thing', 'colour', 'count', 'place', 'setting', 'time')


class Reader(nn.Module):
    """The text encoder and the head that says what its states mean."""

    def __init__(self):
        super().__init__()
        self.t5, self.head = T5(), CaptionHead()

    def forward(self, ids: Tensor) -> Tensor:
        return self.t5(ids, ids != tokenizer.PAD)


def batch(rng: Random, specs, size: int = BATCH // CORES) -> tuple[Tensor, Tensor]:
    return padded([training_caption(rng, specs(rng)) for _ in range(size)])


def losses(reader: Reader, captions: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    ids, labels = captions
    with torch.autocast('cpu', torch.bfloat16):
        parts = reader.head.losses(reader(ids), labels)
    return sum(parts), *parts


def start() -> Reader:
    """From the checkpoint, from the exported text encoder if `training.restore` has read it, or from nothing."""
    reader = Reader()
    if state := checkpoint.load(PATH):
        reader.t5.load_state_dict(state['t5'])
        reader.head.load_state_dict(state['head'])
    elif exported := checkpoint.load(checkpoint.RUNS / 'exported.pt'):
        reader.t5.load_state_dict({name.removeprefix('t5.'): tensor for name, tensor in exported['ema'].items() if name.startswith('t5.')})
    return reader


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=4, help='of this call')
    args = parser.parse_args()
    checkpoint.write_pid()
    reader = start()
    optimizer = torch.optim.AdamW(reader.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    twins, rng, clock, step, means = Twins(reader), Random(), checkpoint.Clock(), 0, None

    def save():
        checkpoint.save(PATH, {'t5': reader.t5.state_dict(), 'head': reader.head.state_dict()})

    while (done := clock.minutes() / args.minutes) < 1:
        optimizer.param_groups[0]['lr'] = RATE * min(1, (step + 1) / 50, 0.02 + (1 - done) / 0.5)
        values = twins.backward(losses, [batch(rng, training_spec) for _ in range(CORES)])
        twins.collect(reader.parameters())
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        step += 1
        means = [0.98 * mean + 0.02 * value for mean, value in zip(means or values, values)]
        if step % 400 == 0:
            print(f'{clock.minutes():5.1f} min  captions {step * BATCH}  losses', *(f'{name} {mean:.3f}' for name, mean in zip(NAMES, means)), flush=True)
        if clock.time_to_save():
            save()
    save()
    ids, labels = batch(Random(1), sample_spec, 200)
    shares = reader.head.shares_right(reader(ids), labels)
    print('right on unseen captions:', *(f'{name} {100 * share:.1f} %' for name, share in zip(NAMES, shares)))


if __name__ == '__main__':
    main()
