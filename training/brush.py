"""A small painting vocabulary on top of Skia: colours, smooth paths, lit fills."""

import math
from dataclasses import dataclass

import skia

Rgb = tuple[float, float, float]


def mix(a: Rgb, b: Rgb, amount: float) -> Rgb:
    return tuple(x + (y - x) * amount for x, y in zip(a, b))


def rgb(red: int, green: int, blue: int) -> Rgb:
    return (red / 255, green / 255, blue / 255)


WHITE, BLACK = rgb(255, 255, 255), rgb(12, 10, 24)


def shade(color: Rgb, tone: float) -> Rgb:
    """Lighter for a positive tone, darker for a negative one; -1 to 1."""
    return mix(color, WHITE, tone) if tone > 0 else mix(color, BLACK, -tone)


def skia_color(color: Rgb, alpha: float = 1.0) -> int:
    red, green, blue = (round(255 * min(max(c, 0.0), 1.0)) for c in color)
    return skia.Color(red, green, blue, round(255 * alpha))


# ---------------------------------------------------------------- paths


def poly(*points: tuple[float, float]) -> skia.Path:
    path = skia.Path()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    path.close()
    return path


def smooth(*points: tuple[float, float], closed: bool = True) -> skia.Path:
    """A Catmull-Rom curve through the points."""
    count = len(points)
    path = skia.Path()
    path.moveTo(*points[0])
    for i in range(count if closed else count - 1):
        if closed:
            before, start, end, after = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            before, after = points[max(i - 1, 0)], points[min(i + 2, count - 1)]
            start, end = points[i], points[i + 1]
        path.cubicTo(
            start[0] + (end[0] - before[0]) / 6,
            start[1] + (end[1] - before[1]) / 6,
            end[0] - (after[0] - start[0]) / 6,
            end[1] - (after[1] - start[1]) / 6,
            *end,
        )
    if closed:
        path.close()
    return path


def oval(cx: float, cy: float, rx: float, ry: float | None = None, turn: float = 0) -> skia.Path:
    ry = rx if ry is None else ry
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(cx - rx, cy - ry, cx + rx, cy + ry))
    if turn:
        matrix = skia.Matrix()
        matrix.setRotate(turn, cx, cy)
        path.transform(matrix)
    return path


def box(left: float, top: float, right: float, bottom: float, radius: float = 0) -> skia.Path:
    path = skia.Path()
    rect = skia.Rect.MakeLTRB(left, top, right, bottom)
    path.addRoundRect(rect, radius, radius) if radius else path.addRect(rect)
    return path


def star_points(points: int, outer: float, inner: float, cx: float = 0, cy: float = 0):
    for i in range(2 * points):
        angle = math.pi * i / points - math.pi / 2
        radius = inner if i % 2 else outer
        yield cx + radius * math.cos(angle), cy + radius * math.sin(angle)


# ---------------------------------------------------------------- light


@dataclass(frozen=True)
class Light:
    """What the time of day does to a surface."""

    tint: Rgb  # multiplies every surface colour
    side: float  # where the light comes from: -1 left, 1 right
    contrast: float  # how far the lit side differs from the dark one
    lamps: bool  # windows and headlights are lit

    def on(self, color: Rgb) -> Rgb:
        return tuple(c * t for c, t in zip(color, self.tint))


class Brush:
    """Paints one object in its own colour; the light falls from the same side on every one."""

    def __init__(self, canvas: skia.Canvas, color: Rgb, light: Light, flipped: bool = False):
        self.canvas, self.color, self.light = canvas, color, light
        self.side = -light.side if flipped else light.side

    def fill(self, path: skia.Path, tone: float = 0, color: Rgb | None = None, depth: float = 1.0):
        """A lit surface; `depth` scales the difference between its bright and its dark end."""
        base = shade(self.color if color is None else color, tone)
        bounds = path.getBounds()
        contrast = self.light.contrast * depth
        near = (bounds.right() if self.side > 0 else bounds.left(), bounds.top())
        far = (bounds.left() if self.side > 0 else bounds.right(), bounds.bottom())
        colors = [self.light.on(shade(base, contrast)), self.light.on(shade(base, -1.25 * contrast))]
        self._gradient(path, near, far, [skia_color(c) for c in colors])

    def flat(self, path: skia.Path, color: Rgb, alpha: float = 1.0):
        self.canvas.drawPath(
            path, skia.Paint(AntiAlias=True, Color=skia_color(self.light.on(color), alpha))
        )

    def glow(self, cx: float, cy: float, radius: float, color: Rgb, alpha: float):
        """Light that the time of day does not dim."""
        shader = skia.GradientShader.MakeRadial(
            center=(cx, cy),
            radius=radius,
            colors=[skia_color(color, alpha), skia_color(color, alpha * 0.35), skia_color(color, 0)],
            positions=[0, 0.45, 1],
        )
        self.canvas.drawCircle(cx, cy, radius, skia.Paint(AntiAlias=True, Shader=shader))

    def lamp(self, path: skia.Path, off: Rgb = rgb(176, 210, 228)):
        """A window or a headlight: glass by day, warm light by night."""
        if self.light.lamps:
            paint = skia.Paint(AntiAlias=True, Color=skia_color(rgb(255, 222, 140)))
            self.canvas.drawPath(path, paint)
        else:
            self.flat(path, off)

    def line(self, path: skia.Path, width: float, color: Rgb | None = None, tone: float = 0):
        color = shade(self.color if color is None else color, tone)
        paint = skia.Paint(
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width,
            StrokeCap=skia.Paint.kRound_Cap,
            StrokeJoin=skia.Paint.kRound_Join,
            Color=skia_color(self.light.on(color)),
        )
        self.canvas.drawPath(path, paint)

    def _gradient(self, path, start, end, colors):
        shader = skia.GradientShader.MakeLinear(points=[start, end], colors=colors)
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))
