"""The things the world holds, read from `things.tsv`, and the colours that some of them come in."""

from dataclasses import dataclass
from pathlib import Path

from .brush import Rgb, rgb

TABLE = Path(__file__).parent / 'things.tsv'
COLORS: dict[str, Rgb] = {
    'red': rgb(222, 38, 44),
    'orange': rgb(255, 132, 22),
    'yellow': rgb(255, 210, 38),
    'green': rgb(44, 172, 72),
    'blue': rgb(42, 112, 236),
    'purple': rgb(138, 62, 214),
    'pink': rgb(255, 128, 188),
    'brown': rgb(132, 78, 44),
    'black': rgb(50, 50, 60),
    'white': rgb(244, 244, 250),
}


@dataclass(frozen=True)
class Thing:
    picture: str  # code points of the emoji, as in the file's name
    names: tuple[str, ...]  # the usual one first
    plurals: tuple[str, ...]
    leading: str | None  # hues of the colour that can be exchanged, in degrees, or 'grey'
    place: str  # stands, floats or flies
    size: float  # against the other things

    @property
    def flies(self) -> bool:
        return self.place == 'flies'


def plural(name: str) -> str:
    if name.endswith('y') and name[-2] not in 'aeiou':
        return name[:-1] + 'ies'
    return name + ('es' if name.endswith(('s', 'x', 'ch', 'sh')) else 's')


def read(line: str) -> Thing:
    picture, names, leading, place, size = line.split('\t')
    pairs = [name.split(':') for name in names.split(', ')]
    plurals = tuple(pair[1] if len(pair) > 1 else plural(pair[0]) for pair in pairs)
    return Thing(picture, tuple(pair[0] for pair in pairs), plurals, None if leading == '-' else leading, place, float(size))


THINGS: dict[str, Thing] = {
    thing.names[0]: thing for thing in map(read, filter(lambda line: line and line[0] != '#', TABLE.read_text().splitlines()))
}
