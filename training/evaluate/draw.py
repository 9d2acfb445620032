"""Draw the test captions through Easel's API, one seed each: `python -m training.evaluate.draw`; goes on where it stopped."""

import argparse
import json
import time
from pathlib import Path

from .. import checkpoint
from ..captions import SEEN, UNSEEN
from .client import DEFAULT_URL, draw

FOLDER = checkpoint.RUNS / 'drawn'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--url', default=DEFAULT_URL)
    parser.add_argument('--model', default='easel-mini')
    parser.add_argument('--steps', type=int, default=20)
    parser.add_argument('--guidance', type=float, help='by default the one of the model')
    parser.add_argument('--seen', action='store_true', help='the captions of combinations that training shows')
    parser.add_argument('--folder', type=Path, default=FOLDER)
    parser.add_argument('--limit', type=int, default=200)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    settings = {'model': args.model, 'width': 256, 'height': 256, 'steps': args.steps}
    if args.guidance is not None:
        settings['guidanceScale'] = args.guidance
    seconds = []
    for i, row in enumerate(json.loads((SEEN if args.seen else UNSEEN).read_text())[: args.limit]):
        path = args.folder / f'{i:04}.png'
        if path.exists():
            continue
        start = time.monotonic()
        draw(args.url, row['caption'], row['seed'], **settings).save(path)
        seconds.append(time.monotonic() - start)
        print(f'{i + 1}  {seconds[-1]:.1f} s  {row["caption"]}', flush=True)
    if seconds:
        print(f'seconds a picture: median {sorted(seconds)[len(seconds) // 2]:.2f}')


if __name__ == '__main__':
    main()
