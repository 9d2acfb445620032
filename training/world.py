"""What a picture of the procedural world shows: its things, their colours and numbers, setting, time and relation."""

from dataclasses import dataclass
from random import Random

from .scenery import TIMES
from .settings import SETTINGS
from .things import COLORS, THINGS

# Height x width in units of 16 px at the 256 scale: a part of PixArt-Sigma's canonical table.
BINS = ((16, 16), (14, 18), (18, 14), (12, 20), (20, 12))
BIN_SHARES = (0.5, 0.15, 0.15, 0.1, 0.1)
RELATIONS = ('left', 'right', 'above', 'below', 'front', 'behind')
OWN_COLOR_SHARE = 0.25  # of the things that come in other colours
HUES = (None, *COLORS)  # None: the thing's own colours


@dataclass(frozen=True)
class Group:
    count: int
    color: str | None  # None: its own colours
    thing: str


@dataclass(frozen=True)
class Spec:
    groups: tuple[Group, ...]  # one or two
    setting: str
    time: str
    relation: str | None = None  # how the first group lies to the second


def held_out(color: str | None, thing: str, setting: str) -> bool:
    """One combination in twenty, spread evenly, never occurs in a training picture."""
    place = 3 * list(THINGS).index(thing) + 7 * SETTINGS.index(setting)
    return (place + 4) % 20 == HUES.index(color)


def is_held_out(spec: Spec) -> bool:
    return any(held_out(g.color, g.thing, spec.setting) for g in spec.groups)


def sample_color(rng: Random, thing: str, other_than: str | None = None) -> str | None:
    if THINGS[thing].leading is None or rng.random() < OWN_COLOR_SHARE:
        return None
    return rng.choice([color for color in COLORS if color != other_than])


def sample_relation(rng: Random, first: str, second: str) -> str:
    flies = THINGS[first].flies, THINGS[second].flies
    if flies[0] != flies[1]:
        upright = 'above' if flies[0] else 'below'
        return rng.choice(('left', 'right', upright, upright))
    if flies[0]:
        return rng.choice(('left', 'left', 'right', 'right', 'above', 'below'))
    return rng.choice(('left', 'left', 'right', 'right', 'front', 'behind'))


def sample_spec(rng: Random, two_groups: float = 0.35) -> Spec:
    setting, time = rng.choice(SETTINGS), rng.choice(TIMES)
    if rng.random() >= two_groups:
        thing = rng.choice(list(THINGS))
        group = Group(rng.choices((1, 2, 3), (0.6, 0.2, 0.2))[0], sample_color(rng, thing), thing)
        return Spec((group,), setting, time)
    things = rng.sample(list(THINGS), 2)
    first = sample_color(rng, things[0])
    colors = first, sample_color(rng, things[1], first)
    relation = sample_relation(rng, *things)
    counts = (1, 1) if relation in ('front', 'behind') else rng.choice(((1, 1), (1, 1), (1, 1), (1, 2), (2, 1)))
    groups = tuple(Group(n, c, t) for n, c, t in zip(counts, colors, things))
    return Spec(groups, setting, time, relation)


def training_spec(rng: Random) -> Spec:
    while is_held_out(spec := sample_spec(rng)):
        pass
    return spec
