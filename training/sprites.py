"""The pictures of the things, cut out and in every colour they come in, as Skia images.

All of them are written once into one file that every process maps into memory.
"""

import colorsys
import os
from functools import cache, lru_cache

import numpy as np
import skia
from PIL import Image

from . import checkpoint
from .emoji import FOLDER
from .things import COLORS, THINGS, Thing

SIDE = 256
FILE = checkpoint.RUNS / 'sprites.npy'
WATER = (180, 235)  # hues of the waves that boats carry along


def variants() -> list[tuple[str, str | None]]:
    """Each thing in its own colours, then in each exchanged one."""
    return [(name, color) for name, thing in THINGS.items() for color in (None, *(COLORS if thing.leading else ()))]


def hsv(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue in degrees, saturation and value of (H, W, 3) in [0, 1]."""
    high, low = pixels.max(2), pixels.min(2)
    spread = np.maximum(high - low, 1e-6)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    hue = np.select([high == red, high == green], [(green - blue) / spread % 6, (blue - red) / spread + 2], (red - green) / spread + 4)
    return 60 * hue, (high - low) / np.maximum(high, 1e-6), high


def within(hue: np.ndarray, low: float, high: float, soft: float = 8) -> np.ndarray:
    """1 inside the range of hues, which may pass 360, falling to 0 over `soft` degrees outside it."""
    width = (high - low) % 360
    away = np.abs((hue - low - width / 2 + 180) % 360 - 180) - width / 2
    return np.clip(1 - away / soft, 0, 1)


def leading_part(thing: Thing, pixels: np.ndarray) -> np.ndarray:
    """How far each pixel belongs to the colour that can be exchanged, (H, W)."""
    hue, saturation, value = hsv(pixels)
    if thing.leading == 'grey':
        return np.clip((0.36 - saturation) / 0.1, 0, 1) * np.clip((value - 0.3) / 0.12, 0, 1)
    low, high = map(float, thing.leading.split('-'))
    return within(hue, low, high) * np.clip((saturation - 0.15) / 0.12, 0, 1) * np.clip((value - 0.2) / 0.12, 0, 1)


def recolored(thing: Thing, pixels: np.ndarray, alpha: np.ndarray, color: str) -> np.ndarray:
    """The leading colour exchanged; light and shade of the picture stay."""
    part = leading_part(thing, pixels)
    brightness = pixels @ np.array((0.3, 0.5, 0.2))
    here = (part > 0.5) & (alpha > 0.5)
    middle = np.median(brightness[here])
    light = (brightness / middle)[..., None]
    target = np.array(COLORS[color])
    hue, saturation, value = colorsys.rgb_to_hsv(*target)
    dark = np.array(colorsys.hsv_to_rgb(hue, min(1, saturation * 1.1), value * 0.3)) + (0.02, 0.0, 0.06)
    shadow, gleam = np.clip((1 - light) / 0.6, 0, 1), np.clip((light - 1) / 1.1, 0, 1)
    painted = target + (dark - target) * shadow + (1 - target) * 0.85 * gleam
    return pixels + (painted - pixels) * part[..., None]


def cut_out(thing: Thing) -> tuple[np.ndarray, np.ndarray]:
    """The picture without its margin, and without the waves under a boat: (SIDE, SIDE, 3) and alpha, feet at the bottom."""
    rgba = np.asarray(Image.open(FOLDER / 'assets' / f'{thing.picture}.webp').convert('RGBA'), np.float32) / 255
    pixels, alpha = rgba[..., :3], rgba[..., 3].copy()
    if thing.place == 'floats' and any(name in thing.names for name in ('boat', 'ship')):
        hue, saturation, _ = hsv(pixels)
        low_rows = np.arange(SIDE)[:, None] > 0.74 * SIDE
        alpha *= 1 - low_rows * within(hue, *WATER) * np.clip((saturation - 0.3) / 0.1, 0, 1)
    rows, columns = np.where(alpha.max(1) > 0.2)[0], np.where(alpha.max(0) > 0.2)[0]
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    out = np.zeros((SIDE, SIDE, 4), np.float32)
    x, y = (SIDE - (right - left)) // 2, SIDE - (bottom - top)
    out[y:, x : x + right - left] = np.dstack([pixels, alpha])[top:bottom, left:right]
    return out[..., :3], out[..., 3]


def build() -> np.ndarray:
    """All variants, (N, SIDE, SIDE, 4) bytes, alpha not multiplied in."""
    rows = []
    for name, color in variants():
        thing = THINGS[name]
        pixels, alpha = cut_out(thing)
        painted = recolored(thing, pixels, alpha, color) if color else pixels
        rows.append((np.dstack([painted, alpha]).clip(0, 1) * 255).round().astype(np.uint8))
    return np.stack(rows)


@cache
def table() -> tuple[np.ndarray, dict]:
    if not FILE.exists():
        aside = FILE.with_suffix(f'.{os.getpid()}.npy')
        np.save(aside, build())
        os.replace(aside, FILE)
    return np.load(FILE, mmap_mode='r'), {variant: i for i, variant in enumerate(variants())}


@lru_cache(400)
def sprite(name: str, color: str | None) -> skia.Image:
    pictures, places = table()
    return skia.Image.fromarray(np.array(pictures[places[name, color]]), colorType=skia.kRGBA_8888_ColorType).withDefaultMipmaps()


@cache
def shape(name: str) -> tuple[float, float]:
    """Width and height of the thing as fractions of SIDE."""
    pictures, places = table()
    alpha = pictures[places[name, None]][..., 3]
    return float((alpha.max(0) > 50).mean()), float((alpha.max(1) > 50).mean())
