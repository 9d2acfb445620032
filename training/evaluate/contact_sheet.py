"""Contact sheets, drawn through Easel's API: `python -m training.evaluate.contact_sheet --out models/easel-mini`.

`prompts.webp`: 48 prompts, one seed each, no picking. `seeds.webp`: the first 8 of them, four seeds each.
"""

import argparse
from pathlib import Path

from PIL import Image

from .. import checkpoint
from .client import DEFAULT_URL, draw

PROMPTS = (
    'a red sailboat on the sea at sunset',
    'a castle in the snow at night',
    'a tiger in the forest in the morning',
    'a rocket above a volcano in the desert at sunset',
    'a blue car to the left of a red bus in the city by day',
    'an electric guitar on the beach by day',
    'three yellow chicks in a meadow in the morning',
    'a green dragon in the mountains at sunset',
    'a penguin in the snow by day',
    'a pink elephant in a room by day',
    'a purple octopus under water',
    'a birthday cake in a room at night',
    'a panda in front of a pagoda in the mountains in the morning',
    'two white swans on the sea in the morning',
    'a unicorn in a meadow under a starry sky',
    'a hamburger on the beach at noon',
    'a yellow tractor in a meadow at sunset',
    'a snowman left of a christmas tree in the snow at night',
    'a robot in the city at night',
    'an owl in a dark forest at night',
    'a red balloon above a white horse in the meadow by day',
    'a whale at sea in the evening light',
    'a ferris wheel in the city at night',
    'a black cat in a room at night',
    'three mushrooms in the forest in the morning light',
    'a teapot and a cupcake in a room by day',
    'a green frog on the beach in the morning',
    'a moon above a tent in the mountains at night',
    'a fox in the snow at dusk',
    'an airplane over the city at sunset',
    'a blue butterfly in a meadow by day',
    'a steamer at sea at dawn',
    'a brown teddy bear in the living room in the evening',
    'two green turtles on the beach at noon',
    'a lion in the desert at sunset',
    'a pineapple right of a watermelon on the beach by day',
    'a train in the mountains in the morning',
    'a shark under the sea',
    'a white rabbit in the snow at sunrise',
    'a sunflower in a meadow on a sunny day',
    'a peacock in the forest by day',
    'a ufo above a cow in a grassy field at night',
    'a violin in a room at sunset',
    'a camel in front of a temple in the desert at noon',
    'a pumpkin in the forest at night',
    'an orange helicopter over the sea by day',
    'a crown on the sea floor',
    'a rainbow over a house in a meadow in the morning',
)
SEEDS = (1, 2, 3, 4)
SIDE, GAP = 256, 6


def sheet(url: str, model: str, tiles: list[tuple[str, int]], columns: int) -> Image.Image:
    rows = -(-len(tiles) // columns)
    image = Image.new('RGB', (columns * (SIDE + GAP) - GAP, rows * (SIDE + GAP) - GAP), 'white')
    for i, (prompt, seed) in enumerate(tiles):
        place = (i % columns * (SIDE + GAP), i // columns * (SIDE + GAP))
        image.paste(draw(url, prompt, seed, model=model, width=SIDE, height=SIDE), place)
        print(prompt, seed, flush=True)
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--url', default=DEFAULT_URL)
    parser.add_argument('--model', default='easel-mini')
    parser.add_argument('--out', type=Path, default=checkpoint.MODEL, help='folder of the two sheets')
    args = parser.parse_args()
    few = PROMPTS[:8]
    sheets = {
        'prompts.webp': sheet(args.url, args.model, [(prompt, 1) for prompt in PROMPTS], 8),
        'seeds.webp': sheet(args.url, args.model, [(prompt, seed) for seed in SEEDS for prompt in few], len(few)),
    }
    for name, image in sheets.items():
        image.save(args.out / name, quality=86, method=6)
        print(f'{name}: {(args.out / name).stat().st_size / 1e3:.0f} kB')


if __name__ == '__main__':
    main()
