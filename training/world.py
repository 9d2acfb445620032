"""The procedural world: what a picture shows (Spec), where each thing stands, and the picture itself."""

from dataclasses import dataclass
from random import Random

import numpy as np
import skia

from .brush import Brush, oval, skia_color, smooth
from .scenery import SETTINGS, TIMES, Scene
from .things import COLORS, THINGS

# Height x width in units of 16 px at the 256 scale: a part of PixArt-Sigma's canonical table.
BINS = ((16, 16), (14, 18), (18, 14), (12, 20), (20, 12))
BIN_SHARES = (0.5, 0.15, 0.15, 0.1, 0.1)


@dataclass(frozen=True)
class Group:
    count: int
    color: str
    thing: str


@dataclass(frozen=True)
class Spec:
    groups: tuple[Group, ...]  # one or two
    setting: str
    time: str
    relation: str | None = None  # how the first group lies to the second: left, right, above, below


@dataclass(frozen=True)
class Placed:
    group: int
    x: float  # centre of the feet
    y: float
    size: float
    turn: float


def held_out(color: str, thing: str, setting: str) -> bool:
    """One combination in twenty, spread evenly, never occurs in a training picture."""
    place = 3 * list(THINGS).index(thing) + 7 * SETTINGS.index(setting)
    return (place + 4) % 20 == list(COLORS).index(color)


def is_held_out(spec: Spec) -> bool:
    return any(held_out(g.color, g.thing, spec.setting) for g in spec.groups)


def sample_spec(rng: Random, two_groups: float = 0.3) -> Spec:
    setting, time = rng.choice(SETTINGS), rng.choice(TIMES)
    if rng.random() >= two_groups:
        group = Group(rng.choice((1, 1, 2, 3)), rng.choice(list(COLORS)), rng.choice(list(THINGS)))
        return Spec((group,), setting, time)
    things, colors = rng.sample(list(THINGS), 2), rng.sample(list(COLORS), 2)
    counts = rng.choice(((1, 1), (1, 1), (1, 1), (1, 2), (2, 1)))
    groups = tuple(Group(n, c, t) for n, c, t in zip(counts, colors, things))
    flies = [THINGS[t].flies for t in things]
    if flies[0] != flies[1]:
        relation = 'above' if flies[0] else 'below'
    else:
        relation = rng.choice(('left', 'right'))
    return Spec(groups, setting, time, relation)


def training_spec(rng: Random) -> Spec:
    while is_held_out(spec := sample_spec(rng)):
        pass
    return spec


# ---------------------------------------------------------------- layout


def row(rng: Random, members: list[int], groups, width: float, y: float, largest: float) -> list[Placed]:
    """Things side by side on one line, as large as their number allows."""
    slot = width / len(members)
    placed = []
    for i, group in enumerate(members):
        natural = THINGS[groups[group].thing].size
        size = min(largest * natural, slot * 0.94) * rng.uniform(0.92, 1.0)
        free = max(slot - 1.1 * size, 0) * 0.42
        x = slot * (i + 0.5) + rng.uniform(-free, free)
        jitter = 0.02 if len(members) > 1 else 0.015
        placed.append(Placed(group, x, y + rng.uniform(-jitter, jitter), size, rng.uniform(-2, 2)))
    return placed


def arrange(rng: Random, spec: Spec, width: float, height: float, horizon: float) -> list[Placed]:
    members = [i for i, group in enumerate(spec.groups) for _ in range(group.count)]
    if spec.relation == 'right':
        members.reverse()
    flies = [THINGS[g.thing].flies for g in spec.groups]
    sky, ground = [m for m in members if flies[m]], [m for m in members if not flies[m]]
    short = min(width, height)
    sizes = {1: 0.52, 2: 0.44, 3: 0.35}
    placed = []
    if sky:
        size = short * (sizes[len(sky)] if not ground else min(sizes[len(sky)], 0.36))
        feet = (height * 0.42 + size / 2) if not ground else height * 0.05 + size
        placed += row(rng, sky, spec.groups, width, feet, size)
    if ground:
        size = short * (sizes[len(ground)] if not sky else min(sizes[len(ground)], 0.4))
        feet = horizon + (height - horizon) * 0.66
        placed += row(rng, ground, spec.groups, width, feet, size)
    return sorted(placed, key=lambda p: p.y)


# ---------------------------------------------------------------- painting


def paint_thing(canvas, scene: Scene, placed: Placed, group: Group):
    thing = THINGS[group.thing]
    on_water = scene.setting == 'sea' and not thing.flies
    if not thing.flies and not on_water:
        shadow(canvas, scene, placed)
    brush = Brush(canvas, COLORS[group.color], scene.light)
    if on_water:
        reach = placed.size * 0.36
        shader = skia.GradientShader.MakeLinear(
            points=[(0, placed.y - 0.02), (0, placed.y + reach)],
            colors=[skia_color(scene.light.on(brush.color), 0.34), skia_color(scene.light.on(brush.color), 0)],
        )
        mirror = smooth((placed.x - placed.size * 0.42, placed.y - 0.02), (placed.x + placed.size * 0.42, placed.y - 0.02), (placed.x + placed.size * 0.3, placed.y + reach), (placed.x - placed.size * 0.3, placed.y + reach))
        canvas.drawPath(mirror, skia.Paint(AntiAlias=True, Shader=shader))
    canvas.save()
    canvas.translate(placed.x, placed.y + (placed.size * 0.03 if on_water else 0))
    canvas.rotate(placed.turn)
    canvas.scale(placed.size, placed.size)
    thing.paint(brush)
    canvas.restore()
    if on_water:
        half = placed.size * 0.5
        x, y = placed.x, placed.y + placed.size * 0.01
        scene.flat(smooth((x - half, y + 0.006), (x - half / 2, y - 0.006), (x, y + 0.006), (x + half / 2, y - 0.006), (x + half, y + 0.006), (x, y + placed.size * 0.06)), scene.near((0.3, 0.58, 0.74)), 0.9)


def shadow(canvas, scene: Scene, placed: Placed):
    alpha = 0.36 if scene.time != 'night' else 0.5
    reach = placed.size * (0.62 if scene.time in ('morning', 'sunset') else 0.5)
    shift = -scene.side * placed.size * (0.16 if scene.time in ('morning', 'sunset') else 0.05)
    canvas.save()
    canvas.translate(placed.x + shift, placed.y)
    canvas.scale(reach, placed.size * 0.085)
    shader = skia.GradientShader.MakeRadial(
        center=(0, 0), radius=1, colors=[skia.Color(14, 12, 34, round(255 * alpha)), skia.Color(14, 12, 34, round(220 * alpha)), skia.Color(14, 12, 34, 0)], positions=[0, 0.55, 1]
    )
    canvas.drawCircle(0, 0, 1, skia.Paint(AntiAlias=True, Shader=shader))
    canvas.restore()


def render(spec: Spec, seed: int, bin_: tuple[int, int] = (16, 16), pixels: int = 256) -> tuple[np.ndarray, list[Placed]]:
    """The picture (H, W, 3) as bytes and where its things stand, in units of 256 px at full scale."""
    rng = Random(seed)
    unit = pixels // 16
    height, width = bin_[0] * unit, bin_[1] * unit
    buffer = np.zeros((height, width, 4), np.uint8)
    canvas = skia.Surface(buffer, colorType=skia.kRGBA_8888_ColorType).getCanvas()
    canvas.scale(pixels, pixels)
    scene = Scene(canvas, width / pixels, height / pixels, spec.setting, spec.time, rng)
    scene.paint()
    placed = arrange(rng, spec, scene.w, scene.h, scene.horizon)
    for item in placed:
        paint_thing(canvas, scene, item, spec.groups[item.group])
    return buffer[:, :, :3], placed


def silhouettes(spec: Spec, placed: list[Placed], bin_: tuple[int, int], cells: int) -> np.ndarray:
    """How much of each cell each placed thing covers, (things, h, w); `cells` to 16 units."""
    height, width = bin_[0] * cells // 16, bin_[1] * cells // 16
    masks = []
    light = Scene(skia.Surface(1, 1).getCanvas(), 1, 1, 'sea', 'day', Random(0)).light
    fine = 4
    for item in placed:
        buffer = np.zeros((height * fine, width * fine, 4), np.uint8)
        canvas = skia.Surface(buffer, colorType=skia.kRGBA_8888_ColorType).getCanvas()
        canvas.scale(cells * fine, cells * fine)
        canvas.translate(item.x, item.y)
        canvas.scale(item.size, item.size)
        group = spec.groups[item.group]
        THINGS[group.thing].paint(Brush(canvas, COLORS[group.color], light))
        alpha = buffer[:, :, 3].reshape(height, fine, width, fine) / 255
        masks.append(alpha.mean((1, 3)))
    return np.stack(masks)
