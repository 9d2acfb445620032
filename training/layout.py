"""Where each thing of a Spec stands, how large it is, and how it is turned."""

from dataclasses import dataclass
from random import Random

from .sprites import shape
from .things import THINGS
from .world import Spec

LARGEST = {1: 0.8, 2: 0.46, 3: 0.36}  # extent of one of so many things in a row, as a fraction of the short side
SMALLEST = 0.3


@dataclass(frozen=True)
class Placed:
    group: int
    x: float  # centre of the feet
    y: float
    size: float  # side of the square around the thing
    turn: float  # degrees
    flipped: bool


@dataclass(frozen=True)
class Ground:
    """The picture's extents and where things can stand, in units of 256 px."""

    width: float
    height: float
    horizon: float
    swimming: bool  # nothing but gravity holds the things that float or fly

    def hovers(self, thing: str) -> bool:
        return THINGS[thing].flies or (self.swimming and THINGS[thing].place == 'floats')


class Layout:
    def __init__(self, rng: Random, spec: Spec, ground: Ground):
        self.rng, self.spec, self.ground = rng, spec, ground
        self.short = min(ground.width, ground.height)

    def place(self, group: int, x: float, extent: float, feet: float | None = None, middle: float | None = None) -> Placed:
        """A thing of the given extent; either its feet or its middle is at a given height."""
        name = self.spec.groups[group].thing
        across, up = shape(name)
        size = extent * THINGS[name].size / max(across, up)
        size = min(size, 0.86 * self.ground.height / up, 0.94 * self.ground.width / across)
        y = feet if middle is None else middle + up * size / 2
        y = min(max(y, up * size + 0.03), self.ground.height - 0.03)
        half = across * size / 2
        x = min(max(x, half + 0.02), self.ground.width - half - 0.02) if half < self.ground.width / 2 else self.ground.width / 2
        turn = self.rng.gauss(0, 5 if self.ground.hovers(name) else 2)
        return Placed(group, x, y, size, turn, self.rng.random() < 0.5)

    def stand(self, depth: float) -> float:
        """Height of feet: depth 0 at the horizon, 1 at the lower edge."""
        return self.ground.horizon + (self.ground.height - self.ground.horizon) * depth

    def alone(self) -> list[Placed]:
        """One thing: in most pictures large and in the middle."""
        rng, ground = self.rng, self.ground
        large = rng.random() < 0.65
        extent = self.short * (rng.uniform(0.56, LARGEST[1]) if large else rng.uniform(0.36, 0.56))
        x = ground.width * (0.5 + (rng.uniform(-0.05, 0.05) if large else rng.uniform(-0.22, 0.22)))
        if ground.hovers(self.spec.groups[0].thing):
            return [self.place(0, x, extent, middle=ground.height * (rng.uniform(0.42, 0.5) if large else rng.uniform(0.28, 0.5)))]
        return [self.place(0, x, extent, feet=self.stand(rng.uniform(0.55, 0.88) if large else rng.uniform(0.3, 0.8)))]

    def row(self, members: list[int], largest: float, left: float, right: float, middle: float | None = None, depth: float | None = None) -> list[Placed]:
        """Side by side between two edges, as large as their number allows."""
        rng, slot, placed = self.rng, (right - left) / len(members), []
        scale = rng.uniform(0.88, 1)
        for i, group in enumerate(members):
            name = self.spec.groups[group].thing
            across, up = shape(name)
            extent = max(min(largest * self.short, 0.9 * slot * max(across, up) / across / THINGS[name].size), SMALLEST * 0.8 * self.short) * scale
            free = max(slot - across * extent, 0) * 0.2
            x = left + slot * (i + 0.5) + rng.uniform(-free, free)
            if middle is not None or (depth is None and self.ground.hovers(name)):
                at = self.ground.height * rng.uniform(0.34, 0.42) if middle is None else middle
                placed.append(self.place(group, x, extent, middle=at + rng.uniform(-0.03, 0.03)))
            else:
                placed.append(self.place(group, x, extent, feet=self.stand((depth or 0.62) + rng.uniform(-0.12, 0.12))))
        return placed

    def beside(self, first_on_left: bool) -> list[Placed]:
        """Two groups side by side, each at its own height; the larger group has more room."""
        counts = [group.count for group in self.spec.groups]
        order = (0, 1) if first_on_left else (1, 0)
        members = [i for i in order for _ in range(counts[i])]
        return self.row(members, LARGEST[len(members)], 0, self.ground.width)

    def one_above(self, upper: int) -> list[Placed]:
        """Two groups, one over the other."""
        ground, lower = self.ground, 1 - upper
        shift = self.rng.uniform(-0.08, 0.08) * ground.width
        counts = [group.count for group in self.spec.groups]
        margin = 0.06 * ground.width
        rows = self.row([upper] * counts[upper], 0.4, margin + shift, ground.width - margin + shift, middle=ground.height * 0.25)
        hovering = ground.hovers(self.spec.groups[lower].thing)
        place = {'middle': ground.height * 0.74} if hovering else {'depth': 0.72}
        return rows + self.row([lower] * counts[lower], 0.42, margin, ground.width - margin, **place)

    def one_before(self, front: int) -> list[Placed]:
        """One thing before a larger one, which it hides in part."""
        rng, ground = self.rng, self.ground
        side = rng.choice((-1, 1))
        back = self.place(1 - front, ground.width * 0.5 - side * 0.1 * self.short, self.short * rng.uniform(0.5, 0.6), feet=self.stand(rng.uniform(0.2, 0.36)))
        fore = self.place(front, ground.width * 0.5 + side * rng.uniform(0.08, 0.2) * self.short, self.short * rng.uniform(0.33, 0.42), feet=self.stand(rng.uniform(0.74, 0.88)))
        return [back, fore]

    def arrange(self) -> list[Placed]:
        match self.spec.relation:
            case 'left' | 'right' as side:
                placed = self.beside(side == 'left')
            case 'above':
                placed = self.one_above(0)
            case 'below':
                placed = self.one_above(1)
            case 'front':
                return self.one_before(0)
            case 'behind':
                return self.one_before(1)
            case _:
                count = self.spec.groups[0].count
                placed = self.alone() if count == 1 else self.row([0] * count, LARGEST[count], 0, self.ground.width)
        return sorted(placed, key=lambda item: item.y)
