"""What each step from weak to strong saves, by experiment: `python -m training.weak_to_strong --experiment resolution`.

Every arm trains with the same number of samples, on the same cache, with the same rates; only what is named differs. The
validation loss by samples is kept in `runs/weak-to-strong/`; an arm that is there already is not run again.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from . import checkpoint
from .objective import Model
from .stages import EXPORTED, STAGES, TEXT, path
from .trainer import Limit, Trainer
from .transformer import COMPRESSED, POSITION_SPAN

FOLDER = checkpoint.RUNS / 'weak-to-strong'
SHALLOW = tuple(range(len(COMPRESSED)))
POINTS = 8  # of the curve


@dataclass(frozen=True)
class Arm:
    stage: str  # pixels, batch and rates
    origin: Path | None  # weights to start from
    span: float = POSITION_SPAN
    compressed: tuple[int, ...] = ()
    averaging: bool = True

    def prepare(self, model: Model):
        if self.origin:
            model.load_state_dict(checkpoint.load(self.origin)['ema'])
        elif text := checkpoint.load(TEXT):
            model.t5.load_state_dict(text['t5'])  # the same text encoder in every arm
            model.words.load_state_dict(text['head'])
        model.transformer.span = self.span
        model.transformer.add_compression(self.compressed, self.averaging)


EXPERIMENTS = {
    'vae-swap': {
        'adapted from the weights of another VAE': Arm('low', EXPORTED),
        'from nothing': Arm('low', None),
    },
    'resolution': {
        '128 px first, positions interpolated': Arm('high', path('low')),
        '128 px first, positions not interpolated': Arm('high', path('low'), span=2 * POSITION_SPAN),
        '256 px from nothing': Arm('high', None),
    },
    'compression': {
        'deep half, averaging': Arm('compressed', path('high'), compressed=COMPRESSED),
        'deep half, random': Arm('compressed', path('high'), compressed=COMPRESSED, averaging=False),
        'shallow half, averaging': Arm('compressed', path('high'), compressed=SHALLOW),
        'no compression': Arm('compressed', path('high')),
    },
}


def file_of(experiment: str, name: str, seed: int) -> Path:
    return FOLDER / f'{experiment}, {name}, {seed}.json'


def run(experiment: str, name: str, seed: int, samples: int) -> list[dict]:
    """The curve of one arm: samples and validation loss."""
    file, arm = file_of(experiment, name, seed), EXPERIMENTS[experiment][name]
    if file.exists():
        return json.loads(file.read_text())
    torch.manual_seed(seed)
    print(f'{experiment}: {name}, seed {seed}', flush=True)
    trainer = Trainer(STAGES[arm.stage], file.with_suffix('.pt'), Limit(samples=samples), arm.prepare)
    trainer.run(validate_every_samples=samples / POINTS, rng=Random(seed))
    file.write_text(json.dumps(trainer.history))
    file.with_suffix('.pt').unlink()
    return trainer.history


def table(experiment: str, curves: dict[str, list[list[dict]]]) -> str:
    """Markdown: validation loss, the mean over the seeds, by samples."""
    points = [row['samples'] for row in next(iter(curves.values()))[0]]
    lines = ['| ' + ' | '.join([experiment, *(f'{samples:,}' for samples in points)]) + ' |', '| --- ' * (len(points) + 1) + '|']
    for name, runs in curves.items():
        means = [sum(run[i]['validation'] for run in runs) / len(runs) for i in range(len(points))]
        lines.append('| ' + ' | '.join([name, *(f'{mean:.4f}' for mean in means)]) + ' |')
    return '\n'.join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--experiment', choices=EXPERIMENTS, required=True)
    parser.add_argument('--samples', type=int, default=9600, help='of each arm')
    parser.add_argument('--seeds', type=int, default=1)
    args = parser.parse_args()
    checkpoint.write_pid()
    FOLDER.mkdir(parents=True, exist_ok=True)
    curves = {name: [run(args.experiment, name, seed, args.samples) for seed in range(args.seeds)] for name in EXPERIMENTS[args.experiment]}
    print(table(args.experiment, curves))


if __name__ == '__main__':
    main()
