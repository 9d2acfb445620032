"""Judge a folder of drawn test captions (000.png, 001.png, …): `python -m training.evaluate.measure`."""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from ..captions import TEST_CAPTIONS
from ..train_vae import to_tensor
from ..world import Group, Spec
from .classifier import compare, judge, load
from .draw import FOLDER


def spec_of(row: dict) -> Spec:
    return Spec(tuple(Group(**group) for group in row['groups']), row['setting'], row['time'], row['relation'])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', type=Path, default=FOLDER)
    parser.add_argument('--by-thing', action='store_true', help='also the share recognised for each thing')
    args = parser.parse_args()
    model, tally, things = load(), {}, {}
    for i, row in enumerate(json.loads(TEST_CAPTIONS.read_text())):
        path = args.folder / f'{i:03}.png'
        if not path.exists():
            continue
        spec = spec_of(row)
        rights = compare(spec, judge(model, to_tensor(np.array(Image.open(path).convert('RGB')))[None])[0])
        for name, right in rights.items():
            tally.setdefault(name, []).append(right)
        if 'thing' in rights:
            things.setdefault(spec.groups[0].thing, []).append(rights['thing'])
    print(f'{len(tally["setting"])} pictures')
    for name, rights in tally.items():
        print(f'{name:40} {100 * sum(rights) / len(rights):5.1f} %  of {len(rights)}')
    if args.by_thing:
        for name, rights in sorted(things.items(), key=lambda item: sum(item[1]) / len(item[1])):
            print(f'{name:12} {sum(rights)} of {len(rights)}')


if __name__ == '__main__':
    main()
