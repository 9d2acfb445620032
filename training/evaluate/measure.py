"""Judge a folder of drawn test captions (0000.png, 0001.png, ...): `python -m training.evaluate.measure`."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..captions import SEEN, UNSEEN
from ..painting import render
from ..train_vae import to_tensor
from ..world import Group, Spec
from .compare import Tally, compare
from .draw import FOLDER
from .judge import Judge, judge, load
from .sharpness import frechet_distance, gradient_energy


def spec_of(row: dict) -> Spec:
    return Spec(tuple(Group(**group) for group in row['groups']), row['setting'], row['time'], row['relation'])


def drawn(folder: Path, captions: Path) -> list[tuple[dict, Path]]:
    rows = enumerate(json.loads(captions.read_text()))
    return [(row, path) for i, row in rows if (path := folder / f'{i:04}.png').exists()]


def read(path: Path) -> Tensor:
    return to_tensor(np.array(Image.open(path).convert('RGB')))[None]


def compare_with_renderings(model: Judge, pairs: list[tuple[dict, Path]]):
    """Against renderings of the same captions; the distance between two sets of renderings is what is out of reach."""
    energies, features = ([], []), ([], [], [])
    with torch.no_grad():
        for i, (row, path) in enumerate(pairs):
            rendered, other = (to_tensor(render(spec_of(row), seed)[0])[None] for seed in (i, 1_000_000 + i))
            for store, pixels in zip(features, (read(path), rendered, other)):
                store.append(model.features(pixels))
            for store, pixels in zip(energies, (read(path), rendered)):
                store.append(gradient_energy(pixels))
    made, rendered, other = (torch.cat(store) for store in features)
    print(f'gradient energy over that of renderings     {sum(energies[0]) / sum(energies[1]):.3f}')
    print(f'Frechet distance to renderings               {frechet_distance(made, rendered):.3f}, between renderings {frechet_distance(rendered, other):.3f}')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', type=Path, default=FOLDER)
    parser.add_argument('--seen', action='store_true', help='the captions of combinations that training shows')
    parser.add_argument('--by-thing', action='store_true', help='also the share recognised for each thing')
    args = parser.parse_args()
    pairs = drawn(args.folder, SEEN if args.seen else UNSEEN)
    if not pairs:
        raise SystemExit(f'no pictures in {args.folder.name}; training.evaluate.draw makes them')
    model, tally, things = load(), Tally(), Tally()
    for row, path in pairs:
        spec = spec_of(row)
        rights = compare(spec, judge(model, read(path))[0])
        tally.add(rights)
        if 'thing' in rights:
            things.add({spec.groups[0].thing: rights['thing']})
    print(f'{len(pairs)} pictures', tally, sep='\n')
    compare_with_renderings(model, pairs)
    if args.by_thing:
        print(things)


if __name__ == '__main__':
    main()
