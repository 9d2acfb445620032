"""The 24 things the world holds, each painted in a box from (-0.5, -1) to (0.5, 0), feet at y = 0."""

from dataclasses import dataclass
from typing import Callable

from .brush import Brush, box, oval, poly, rgb, smooth, star_points

DARK, STEEL, CREAM = rgb(46, 46, 56), rgb(168, 174, 184), rgb(246, 238, 220)
WOOD, LEAF, SKIN = rgb(118, 78, 50), rgb(74, 140, 66), rgb(142, 168, 98)
BEAK, EMBER = rgb(246, 150, 40), rgb(255, 170, 50)


def eye(b: Brush, x: float, y: float, r: float = 0.028):
    b.flat(oval(x, y, r * 1.5), CREAM)
    b.flat(oval(x + 0.3 * r, y, r), DARK)


def wheel(b: Brush, x: float, r: float):
    b.flat(oval(x, -r, r), DARK)
    b.flat(oval(x, -r, r * 0.45), STEEL)


def boat(b: Brush):
    b.fill(box(-0.022, -0.98, 0.022, -0.22), color=WOOD)
    b.fill(smooth((0.05, -0.95), (0.30, -0.62), (0.43, -0.30), (0.20, -0.285), (0.05, -0.29), (0.06, -0.6)))
    b.fill(poly((-0.05, -0.86), (-0.36, -0.30), (-0.05, -0.29)), color=CREAM)
    b.fill(smooth((-0.5, -0.25), (0, -0.22), (0.5, -0.26), (0.44, -0.12), (0.34, 0), (-0.32, 0), (-0.43, -0.11)), -0.12)
    b.flat(poly((-0.485, -0.21), (0.485, -0.21), (0.47, -0.17), (-0.465, -0.17)), CREAM)


def car(b: Brush):
    b.fill(smooth((-0.34, -0.28), (-0.22, -0.5), (0.0, -0.54), (0.16, -0.5), (0.32, -0.28), (0, -0.24)))
    b.lamp(poly((-0.25, -0.31), (-0.17, -0.46), (-0.02, -0.48), (-0.02, -0.31)))
    b.lamp(poly((0.03, -0.31), (0.03, -0.48), (0.13, -0.45), (0.24, -0.31)))
    b.fill(box(-0.5, -0.32, 0.5, -0.09, 0.09), -0.02)
    b.fill(box(-0.5, -0.145, 0.5, -0.09, 0.03), -0.4)
    b.lamp(oval(0.465, -0.235, 0.035, 0.04), CREAM)
    b.flat(box(-0.5, -0.27, -0.465, -0.2, 0.01), rgb(190, 40, 40))
    wheel(b, -0.27, 0.12)
    wheel(b, 0.27, 0.12)


def bus(b: Brush):
    b.fill(box(-0.5, -0.66, 0.5, -0.08, 0.07))
    b.flat(box(-0.49, -0.27, 0.49, -0.225), CREAM)
    for x in (-0.43, -0.245, -0.06, 0.125):
        b.lamp(box(x, -0.56, x + 0.145, -0.36, 0.02))
    b.lamp(box(0.33, -0.56, 0.47, -0.14, 0.02))
    b.lamp(oval(-0.46, -0.16, 0.02), CREAM)
    wheel(b, -0.28, 0.11)
    wheel(b, 0.22, 0.11)


def train(b: Brush):
    for x, y, r in ((0.2, -0.93, 0.07), (0.07, -0.95, 0.085), (-0.1, -0.94, 0.065)):
        b.fill(oval(x, y, r), color=rgb(226, 226, 232), depth=0.6)
    b.fill(poly((0.22, -0.5), (0.24, -0.7), (0.2, -0.8), (0.4, -0.8), (0.36, -0.7), (0.38, -0.5)), color=DARK)
    b.fill(box(-0.2, -0.56, 0.46, -0.24, 0.1))
    b.flat(box(0.08, -0.56, 0.12, -0.24), rgb(228, 190, 90))
    b.fill(smooth((-0.07, -0.55), (-0.07, -0.66), (0.07, -0.66), (0.07, -0.55)), -0.15)
    b.fill(box(-0.48, -0.74, -0.14, -0.2, 0.02), -0.08)
    b.lamp(box(-0.41, -0.65, -0.22, -0.45, 0.02))
    b.fill(box(-0.52, -0.79, -0.1, -0.72, 0.02), color=DARK)
    b.fill(box(-0.5, -0.26, 0.48, -0.17), -0.35)
    b.fill(poly((0.44, -0.22), (0.54, 0), (0.36, 0)), color=DARK)
    wheel(b, -0.34, 0.14)
    wheel(b, -0.05, 0.11)
    wheel(b, 0.2, 0.11)


def plane(b: Brush):
    b.canvas.rotate(-10, 0, -0.4)
    b.fill(poly((-0.46, -0.44), (-0.53, -0.74), (-0.4, -0.74), (-0.25, -0.47)), -0.12)
    b.fill(poly((0.06, -0.45), (-0.1, -0.66), (-0.02, -0.66), (0.2, -0.45)), -0.3)
    b.fill(smooth((-0.5, -0.46), (-0.2, -0.53), (0.25, -0.54), (0.46, -0.46), (0.5, -0.38), (0.4, -0.31), (0, -0.29), (-0.3, -0.35)))
    b.lamp(smooth((0.34, -0.5), (0.44, -0.45), (0.44, -0.42), (0.33, -0.42)))
    for x in (-0.2, -0.09, 0.02, 0.13, 0.24):
        b.lamp(oval(x, -0.45, 0.025))
    b.fill(poly((0.12, -0.39), (-0.2, -0.12), (-0.32, -0.12), (-0.1, -0.38)), -0.18)


def rocket(b: Brush):
    b.glow(0, -0.06, 0.22, EMBER, 0.7)
    b.flat(smooth((-0.09, -0.2), (-0.05, -0.05), (0, 0.04), (0.05, -0.05), (0.09, -0.2)), rgb(255, 200, 80))
    b.fill(smooth((-0.1, -0.46), (-0.26, -0.3), (-0.28, -0.12), (-0.1, -0.22)), -0.3)
    b.fill(smooth((0.1, -0.46), (0.26, -0.3), (0.28, -0.12), (0.1, -0.22)), -0.3)
    b.fill(smooth((0, -1.0), (0.12, -0.82), (0.17, -0.56), (0.13, -0.19), (0, -0.17), (-0.13, -0.19), (-0.17, -0.56), (-0.12, -0.82)))
    b.flat(smooth((-0.165, -0.44), (0, -0.42), (0.165, -0.44), (0.16, -0.38), (0, -0.36), (-0.16, -0.38)), CREAM)
    b.flat(oval(0, -0.62, 0.085), CREAM)
    b.lamp(oval(0, -0.62, 0.06))


def balloon(b: Brush):
    for x in (-0.07, 0.07):
        b.line(poly((x * 2.2, -0.32), (x, -0.12)), 0.012, DARK)
    b.fill(box(-0.085, -0.14, 0.085, 0, 0.025), color=WOOD)
    b.fill(smooth((0, -1.0), (0.29, -0.88), (0.38, -0.64), (0.27, -0.42), (0.1, -0.26), (-0.1, -0.26), (-0.27, -0.42), (-0.38, -0.64), (-0.29, -0.88)))
    b.flat(smooth((0, -1.0), (0.1, -0.85), (0.13, -0.64), (0.1, -0.42), (0.03, -0.25), (-0.03, -0.25), (-0.1, -0.42), (-0.13, -0.64), (-0.1, -0.85)), CREAM, 0.55)
    b.fill(smooth((0, -1.0), (0.035, -0.85), (0.045, -0.64), (0.03, -0.4), (0, -0.25), (-0.03, -0.4), (-0.045, -0.64), (-0.035, -0.85)), -0.1)


def cat(b: Brush):
    b.line(smooth((0.2, -0.08), (0.4, -0.12), (0.42, -0.36), (0.33, -0.48), closed=False), 0.085, tone=-0.15)
    b.fill(smooth((0, -0.6), (0.2, -0.42), (0.27, -0.14), (0.2, 0), (-0.2, 0), (-0.27, -0.14), (-0.2, -0.42)))
    b.fill(poly((-0.24, -0.72), (-0.22, -1.0), (-0.03, -0.86)), -0.12)
    b.fill(poly((0.24, -0.72), (0.22, -1.0), (0.03, -0.86)), -0.12)
    b.fill(oval(0, -0.69, 0.26, 0.21), 0.03)
    b.fill(smooth((0, -0.42), (0.09, -0.25), (0.05, -0.06), (-0.05, -0.06), (-0.09, -0.25)), 0.4, depth=0.5)
    for x in (-0.1, 0.1):
        b.flat(oval(x, -0.71, 0.042, 0.052), rgb(232, 226, 130))
        b.flat(oval(x, -0.71, 0.018, 0.045), DARK)
        b.fill(oval(x, -0.02, 0.075, 0.045), 0.12, depth=0.5)
    b.flat(poly((-0.03, -0.635), (0.03, -0.635), (0, -0.6)), rgb(225, 120, 130))


def rabbit(b: Brush):
    b.fill(oval(-0.27, -0.13, 0.09), color=CREAM)
    for x, turn in ((0.06, -10), (0.2, 12)):
        b.fill(oval(x, -0.82, 0.06, 0.19, turn), -0.1)
        b.flat(oval(x, -0.81, 0.028, 0.13, turn), rgb(240, 170, 175))
    b.fill(smooth((0.05, -0.46), (-0.16, -0.4), (-0.29, -0.2), (-0.22, 0), (0.2, 0), (0.24, -0.2)))
    b.fill(oval(0.13, -0.52, 0.185, 0.155), 0.04)
    b.fill(oval(-0.09, -0.12, 0.14, 0.125), -0.1)
    b.fill(oval(0.17, -0.03, 0.11, 0.045), 0.1, depth=0.5)
    eye(b, 0.19, -0.55)
    b.flat(oval(0.305, -0.5, 0.025), rgb(225, 120, 130))


def duck(b: Brush):
    b.fill(smooth((-0.5, -0.46), (-0.34, -0.36), (0, -0.42), (0.3, -0.34), (0.36, -0.18), (0.2, -0.02), (-0.16, -0.01), (-0.38, -0.14)))
    b.fill(smooth((0.08, -0.36), (0.12, -0.6), (0.34, -0.6), (0.34, -0.3)), depth=0.4)
    b.fill(oval(0.23, -0.68, 0.165))
    b.fill(smooth((0.36, -0.74), (0.52, -0.66), (0.5, -0.6), (0.36, -0.6)), color=BEAK)
    b.fill(smooth((-0.36, -0.38), (-0.1, -0.36), (0.12, -0.24), (0, -0.1), (-0.22, -0.14)), -0.25)
    eye(b, 0.28, -0.72)


def fish(b: Brush):
    b.fill(smooth((-0.24, -0.4), (-0.5, -0.68), (-0.44, -0.4), (-0.5, -0.12)), -0.2)
    b.fill(smooth((-0.15, -0.6), (0.02, -0.8), (0.22, -0.62)), -0.25)
    b.fill(smooth((-0.05, -0.2), (-0.04, -0.06), (0.14, -0.18)), -0.25)
    b.fill(smooth((-0.32, -0.4), (-0.12, -0.6), (0.2, -0.64), (0.44, -0.48), (0.5, -0.39), (0.42, -0.27), (0.16, -0.15), (-0.12, -0.2)))
    for x in (-0.14, 0.04):
        b.line(smooth((x, -0.57), (x + 0.06, -0.4), (x, -0.22), closed=False), 0.05, tone=0.4)
    b.fill(smooth((0.13, -0.4), (0, -0.32), (0.06, -0.24), (0.17, -0.32)), -0.3)
    eye(b, 0.33, -0.46, 0.036)


def butterfly(b: Brush):
    for side in (-1, 1):
        b.fill(smooth((side * 0.03, -0.5), (side * 0.2, -0.84), (side * 0.46, -0.9), (side * 0.5, -0.66), (side * 0.34, -0.46)))
        b.fill(smooth((side * 0.03, -0.48), (side * 0.32, -0.44), (side * 0.4, -0.24), (side * 0.25, -0.08), (side * 0.1, -0.22)), -0.18)
        b.flat(oval(side * 0.36, -0.72, 0.065), CREAM, 0.85)
        b.flat(oval(side * 0.25, -0.27, 0.05), CREAM, 0.85)
        b.line(smooth((0, -0.7), (side * 0.06, -0.86), (side * 0.15, -0.93), closed=False), 0.02, DARK)
    b.fill(oval(0, -0.46, 0.045, 0.28), color=DARK)


def turtle(b: Brush):
    b.fill(smooth((0.28, -0.26), (0.34, -0.44), (0.48, -0.46), (0.53, -0.34), (0.46, -0.25), (0.34, -0.14)), color=SKIN)
    b.fill(poly((-0.36, -0.14), (-0.52, -0.06), (-0.36, -0.05)), color=SKIN)
    for x in (-0.24, 0.2):
        b.fill(box(x - 0.085, -0.2, x + 0.085, 0, 0.05), color=SKIN)
    b.fill(smooth((-0.4, -0.14), (-0.33, -0.42), (-0.04, -0.62), (0.26, -0.42), (0.34, -0.14), (0, -0.11)))
    b.fill(poly((-0.12, -0.5), (0.05, -0.5), (0.11, -0.34), (-0.04, -0.24), (-0.18, -0.34)), -0.3, depth=0.5)
    for points in (((-0.3, -0.4), (-0.23, -0.34), (-0.25, -0.22), (-0.33, -0.22)), ((0.16, -0.44), (0.27, -0.3), (0.25, -0.2), (0.14, -0.22))):
        b.fill(poly(*points), -0.3, depth=0.5)
    b.fill(box(-0.42, -0.19, 0.36, -0.12, 0.035), 0.3)
    eye(b, 0.44, -0.38, 0.022)


def tree(b: Brush):
    b.fill(poly((-0.06, -0.5), (-0.09, 0), (0.09, 0), (0.06, -0.5)), color=WOOD)
    b.fill(smooth((-0.22, -0.38), (-0.41, -0.48), (-0.4, -0.66), (-0.28, -0.74), (-0.25, -0.9), (-0.04, -1.0), (0.17, -0.96), (0.26, -0.8), (0.4, -0.7), (0.41, -0.5), (0.24, -0.38), (0, -0.34)))
    b.fill(oval(-0.13, -0.58, 0.19, 0.15), 0.08, depth=1.4)
    b.fill(oval(0.15, -0.64, 0.18, 0.15), 0.08, depth=1.4)
    b.fill(oval(-0.01, -0.8, 0.19, 0.15), 0.12, depth=1.4)


def flower(b: Brush):
    b.line(smooth((0, -0.6), (0.025, -0.3), (0, 0), closed=False), 0.05, LEAF)
    b.fill(smooth((0.02, -0.06), (0.12, -0.28), (0.32, -0.32), (0.22, -0.12)), color=LEAF)
    b.fill(smooth((-0.0, -0.04), (-0.12, -0.24), (-0.31, -0.26), (-0.2, -0.08)), color=LEAF)
    for i in range(6):
        b.canvas.save()
        b.canvas.rotate(60 * i, 0, -0.68)
        b.fill(oval(0, -0.86, 0.115, 0.15), -0.05 if i % 2 else 0.06)
        b.canvas.restore()
    warm = b.color[0] > 0.85 and b.color[1] > 0.6 and b.color[2] < 0.6
    b.fill(oval(0, -0.68, 0.115), color=WOOD if warm else rgb(250, 206, 70))


def cactus(b: Brush):
    b.line(smooth((-0.1, -0.32), (-0.29, -0.36), (-0.31, -0.62), closed=False), 0.13, tone=-0.12)
    b.line(smooth((0.1, -0.44), (0.27, -0.48), (0.29, -0.76), closed=False), 0.125, tone=-0.12)
    b.fill(box(-0.15, -1.0, 0.15, 0, 0.15))
    for x in (-0.07, 0.0, 0.07):
        b.line(poly((x, -0.9), (x, -0.04)), 0.016, tone=-0.4)
    b.fill(oval(0, -0.99, 0.055), color=rgb(244, 130, 160))


def mushroom(b: Brush):
    b.fill(smooth((-0.11, -0.5), (-0.1, -0.2), (-0.17, 0), (0, 0.01), (0.17, 0), (0.1, -0.2), (0.11, -0.5)), color=CREAM)
    b.fill(oval(0, -0.46, 0.34, 0.07), color=rgb(214, 196, 168))
    b.fill(smooth((-0.46, -0.46), (-0.38, -0.72), (-0.16, -0.91), (0.16, -0.91), (0.38, -0.72), (0.46, -0.46), (0, -0.41)))
    spots = CREAM if min(b.color) < 0.85 else rgb(222, 160, 150)
    for x, y, rx, ry in ((-0.25, -0.62, 0.06, 0.055), (0.02, -0.76, 0.085, 0.065), (0.25, -0.62, 0.06, 0.055), (0.0, -0.54, 0.055, 0.04)):
        b.flat(oval(x, y, rx, ry), spots)


def house(b: Brush):
    b.fill(box(0.18, -0.96, 0.31, -0.66), color=rgb(150, 92, 78))
    b.fill(box(-0.39, -0.56, 0.39, 0))
    b.fill(poly((-0.5, -0.54), (-0.27, -0.9), (0.27, -0.9), (0.5, -0.54)), -0.45)
    b.fill(box(-0.07, -0.32, 0.1, 0, 0.01), color=WOOD)
    for x in (-0.32, 0.17):
        b.flat(box(x - 0.02, -0.43, x + 0.17, -0.2), CREAM)
        b.lamp(box(x, -0.41, x + 0.15, -0.22))


def castle(b: Brush):
    for x in (-0.36, 0.36):
        b.fill(box(x - 0.13, -0.68, x + 0.13, 0), -0.06)
        b.fill(poly((x - 0.16, -0.67), (x, -1.0), (x + 0.16, -0.67)), -0.48)
        b.lamp(box(x - 0.035, -0.56, x + 0.035, -0.42, 0.035))
    b.fill(box(-0.24, -0.46, 0.24, 0))
    for x in (-0.24, -0.09, 0.06, 0.2):
        b.fill(box(x - 0.0, -0.53, x + 0.075, -0.45), depth=0.5)
    b.flat(box(-0.1, -0.27, 0.1, 0, 0.1), DARK)
    b.flat(box(-0.1, -0.12, 0.1, 0), DARK)


def lighthouse(b: Brush):
    if b.light.lamps:
        b.glow(0, -0.86, 0.3, rgb(255, 230, 150), 0.75)
    b.fill(poly((-0.14, -0.74), (-0.24, -0.03), (0.24, -0.03), (0.14, -0.74)))
    for top, bottom in ((-0.58, -0.44), (-0.29, -0.14)):
        half = lambda y: 0.14 + 0.1 * (y + 0.74) / 0.71
        b.fill(poly((-half(top), top), (-half(bottom), bottom), (half(bottom), bottom), (half(top), top)), color=CREAM if min(b.color) < 0.85 else rgb(176, 180, 190))
    b.fill(box(-0.27, -0.05, 0.27, 0), color=STEEL)
    b.fill(box(-0.19, -0.78, 0.19, -0.73, 0.01), color=DARK)
    b.lamp(box(-0.1, -0.9, 0.1, -0.78), rgb(250, 238, 180))
    b.fill(smooth((-0.15, -0.89), (0, -1.02), (0.15, -0.89), (0, -0.88)), -0.3)


def tent(b: Brush):
    b.fill(poly((-0.52, 0), (-0.03, -0.72), (0.1, -0.72), (0.52, 0)), -0.28)
    b.fill(poly((-0.52, 0), (-0.05, -0.73), (0.36, 0)))
    inside = rgb(255, 214, 130) if b.light.lamps else rgb(64, 52, 58)
    b.lamp(poly((-0.22, 0), (-0.05, -0.46), (0.11, 0)), inside)
    b.fill(poly((-0.05, -0.46), (0.11, 0), (0.22, 0)), 0.3)


def star(b: Brush):
    b.glow(0, -0.5, 0.66, b.color, 0.5)
    outer = skia_round(star_points(5, 0.52, 0.235, 0, -0.47))
    b.fill(outer, 0.06)
    inner = skia_round(star_points(5, 0.3, 0.14, 0, -0.47))
    b.fill(inner, 0.25, depth=0.4)


def skia_round(points):
    """A polygon with slightly softened corners."""
    points = list(points)
    path_points = []
    for i, (x, y) in enumerate(points):
        for other in (points[i - 1], points[(i + 1) % len(points)]):
            path_points.append((x + 0.12 * (other[0] - x), y + 0.12 * (other[1] - y)))
    return poly(*path_points)


def moon(b: Brush):
    b.glow(-0.05, -0.5, 0.62, b.color, 0.45)
    b.fill(smooth((0.12, -0.97), (-0.2, -0.95), (-0.43, -0.7), (-0.44, -0.36), (-0.2, -0.06), (0.14, -0.02), (0.33, -0.14), (0.08, -0.24), (-0.06, -0.5), (0.06, -0.76), (0.3, -0.88)))
    for x, y, r in ((-0.26, -0.62, 0.06), (-0.22, -0.34, 0.075), (-0.02, -0.13, 0.045)):
        b.fill(oval(x, y, r), -0.16, depth=0.3)


def kite(b: Brush):
    b.line(smooth((0, -0.3), (0.08, -0.2), (-0.06, -0.1), (0.04, 0), closed=False), 0.018, DARK)
    for x, y in ((0.05, -0.2), (-0.03, -0.1), (0.03, -0.01)):
        b.fill(poly((x - 0.09, y - 0.045), (x + 0.09, y + 0.045), (x + 0.09, y - 0.045), (x - 0.09, y + 0.045)), -0.1)
    corners = ((0, -1.0), (0.34, -0.7), (0, -0.28), (-0.34, -0.7))
    for i, tone in enumerate((0.1, -0.16, 0.1, -0.16)):
        b.fill(poly(corners[i], corners[(i + 1) % 4], (0, -0.7)), tone, depth=0.6)
    b.line(poly((0, -1.0), (0, -0.28)), 0.016, CREAM)
    b.line(poly((-0.34, -0.7), (0.34, -0.7)), 0.016, CREAM)


@dataclass(frozen=True)
class Thing:
    paint: Callable[[Brush], None]
    names: tuple[str, ...]  # the first is the usual one
    plural: tuple[str, ...]
    flies: bool = False
    size: float = 1.0


THINGS: dict[str, Thing] = {
    'boat': Thing(boat, ('boat', 'sailboat'), ('boats', 'sailboats'), size=1.1),
    'car': Thing(car, ('car',), ('cars',), size=1.15),
    'bus': Thing(bus, ('bus',), ('buses',), size=1.25),
    'train': Thing(train, ('train', 'locomotive'), ('trains', 'locomotives'), size=1.15),
    'plane': Thing(plane, ('plane', 'airplane'), ('planes', 'airplanes'), True, 1.15),
    'rocket': Thing(rocket, ('rocket',), ('rockets',), True, 1.1),
    'balloon': Thing(balloon, ('balloon', 'hot air balloon'), ('balloons', 'hot air balloons'), True, 1.1),
    'cat': Thing(cat, ('cat',), ('cats',), size=0.95),
    'rabbit': Thing(rabbit, ('rabbit', 'bunny'), ('rabbits', 'bunnies'), size=0.98),
    'duck': Thing(duck, ('duck',), ('ducks',), size=1.0),
    'fish': Thing(fish, ('fish',), ('fish',), size=1.0),
    'butterfly': Thing(butterfly, ('butterfly',), ('butterflies',), True, 0.95),
    'turtle': Thing(turtle, ('turtle',), ('turtles',), size=1.08),
    'tree': Thing(tree, ('tree',), ('trees',), size=1.15),
    'flower': Thing(flower, ('flower',), ('flowers',), size=1.0),
    'cactus': Thing(cactus, ('cactus',), ('cacti', 'cactuses'), size=1.0),
    'mushroom': Thing(mushroom, ('mushroom',), ('mushrooms',), size=0.95),
    'house': Thing(house, ('house', 'cottage'), ('houses', 'cottages'), size=1.12),
    'castle': Thing(castle, ('castle',), ('castles',), size=1.15),
    'lighthouse': Thing(lighthouse, ('lighthouse',), ('lighthouses',), size=1.15),
    'tent': Thing(tent, ('tent',), ('tents',), size=1.1),
    'star': Thing(star, ('star',), ('stars',), True, 0.9),
    'moon': Thing(moon, ('moon', 'crescent moon'), ('moons', 'crescent moons'), True, 0.9),
    'kite': Thing(kite, ('kite',), ('kites',), True, 1.0),
}

COLORS = {
    'red': rgb(216, 44, 46),
    'orange': rgb(244, 138, 30),
    'yellow': rgb(250, 214, 52),
    'green': rgb(58, 164, 76),
    'blue': rgb(44, 104, 220),
    'purple': rgb(112, 48, 190),
    'pink': rgb(246, 132, 184),
    'brown': rgb(128, 78, 44),
    'black': rgb(44, 44, 52),
    'white': rgb(244, 243, 240),
}
