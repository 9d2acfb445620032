"""Render pictures of the world with their captions, for the eye: `python -m training.render --count 24 --out world.png`."""

import argparse
from pathlib import Path
from random import Random

import numpy as np

from .captions import caption
from .painting import render
from .sample import sheet
from .world import training_spec


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=24)
    parser.add_argument('--columns', type=int, default=8)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    rng, images = Random(args.seed), []
    for i in range(args.count):
        spec = training_spec(rng)
        images.append(render(spec, rng.getrandbits(31))[0])
        print(i, caption(rng, spec).text)
    sheet(np.stack(images), min(args.columns, args.count)).save(args.out)


if __name__ == '__main__':
    main()
