"""Prompts x seeds, drawn through Easel's API, as one picture: `python -m training.evaluate.contact_sheet`."""

import argparse
from pathlib import Path

from PIL import Image

from ..export import FOLDER
from .client import DEFAULT_URL, draw

PROMPTS = (
    'a red boat on the sea at sunset',
    'a yellow balloon over the mountains in the morning',
    'two blue cars in a snowy landscape at night',
    'a white castle in the forest by day',
    'three pink flowers in the desert at sunset',
    'a black cat in the city at night',
    'a green train in a meadow in the morning',
    'an orange tent left of a purple mushroom on the beach by day',
)
SEEDS = (1, 2, 3, 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--url', default=DEFAULT_URL)
    parser.add_argument('--out', type=Path, default=FOLDER / 'contact-sheet.webp')
    args = parser.parse_args()
    side, gap = 256, 6
    sheet = Image.new('RGB', (len(PROMPTS) * (side + gap) - gap, len(SEEDS) * (side + gap) - gap), 'white')
    for column, prompt in enumerate(PROMPTS):
        for row, seed in enumerate(SEEDS):
            picture = draw(args.url, prompt, seed, model='easel-mini', width=side, height=side)
            sheet.paste(picture, (column * (side + gap), row * (side + gap)))
            print(prompt, seed, flush=True)
    sheet.save(args.out, quality=86, method=6)
    print(f'{args.out.stat().st_size / 1e3:.0f} kB')


if __name__ == '__main__':
    main()
