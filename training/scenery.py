"""The light and the sky at 4 times of day, and the strokes that landscapes are painted with, in units of 256 pixels."""

from dataclasses import dataclass
from random import Random

import skia

from .brush import Rgb, box, mix, oval, rgb, skia_color, smooth

TIMES = ('morning', 'day', 'sunset', 'night')


@dataclass(frozen=True)
class Hour:
    sky: tuple[Rgb, Rgb, Rgb]  # zenith, middle, horizon
    sun: Rgb | None
    sun_height: float  # above the horizon, as a fraction of the sky
    sun_radius: float
    ground: Rgb  # multiplies the landscape
    tint: Rgb  # multiplies the things in it, less, so that colours stay themselves
    light: tuple[Rgb, float]  # colour and strength on the lit side of a thing


HOURS = {
    'morning': Hour(
        sky=(rgb(150, 172, 222), rgb(226, 196, 224), rgb(255, 222, 204)), sun=rgb(255, 246, 214), sun_height=0.22, sun_radius=0.06,
        ground=(0.94, 0.9, 0.97), tint=(1.0, 0.95, 0.96), light=(rgb(255, 232, 214), 0.3),
    ),
    'day': Hour(
        sky=(rgb(44, 128, 222), rgb(112, 182, 240), rgb(206, 234, 250)), sun=rgb(255, 250, 220), sun_height=0.82, sun_radius=0.06,
        ground=(1.0, 1.0, 1.0), tint=(1.0, 1.0, 1.0), light=(rgb(255, 252, 240), 0.24),
    ),
    'sunset': Hour(
        sky=(rgb(84, 58, 128), rgb(226, 96, 88), rgb(255, 192, 88)), sun=rgb(255, 232, 150), sun_height=0.12, sun_radius=0.085,
        ground=(0.92, 0.66, 0.6), tint=(1.0, 0.87, 0.78), light=(rgb(255, 190, 110), 0.42),
    ),
    'night': Hour(
        sky=(rgb(12, 18, 58), rgb(28, 42, 98), rgb(66, 88, 150)), sun=None, sun_height=0.8, sun_radius=0.0,
        ground=(0.42, 0.5, 0.74), tint=(0.76, 0.79, 0.97), light=(rgb(170, 195, 255), 0.3),
    ),
}  # fmt: skip


class Scene:
    """One empty landscape: paints itself, then tells where things stand and how they are lit."""

    def __init__(self, canvas: skia.Canvas, width: float, height: float, setting: str, time: str, rng: Random):
        self.canvas, self.w, self.h, self.rng = canvas, width, height, rng
        self.setting, self.time, self.hour = setting, time, HOURS[time]
        self.horizon = height * rng.uniform(0.56, 0.64)
        self.side = rng.choice((-1, 1))
        self.sun_x = width * (0.5 + self.side * rng.uniform(0.2, 0.38))

    # ------------------------------------------------------------ colours

    def near(self, color: Rgb) -> Rgb:
        return tuple(c * t for c, t in zip(color, self.hour.ground))

    def far(self, color: Rgb, haze: float) -> Rgb:
        return mix(self.near(color), self.hour.sky[2], haze)

    # ------------------------------------------------------------ strokes

    def gradient(self, path: skia.Path, top: Rgb, bottom: Rgb, y0: float | None = None, y1: float | None = None):
        bounds = path.getBounds()
        y0 = bounds.top() if y0 is None else y0
        y1 = min(bounds.bottom(), self.h) if y1 is None else y1
        shader = skia.GradientShader.MakeLinear(points=[(0, y0), (0, y1)], colors=[skia_color(top), skia_color(bottom)])
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))

    def flat(self, path: skia.Path, color: Rgb, alpha: float = 1.0):
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Color=skia_color(color, alpha)))

    def glow(self, x: float, y: float, radius: float, color: Rgb, alpha: float):
        shader = skia.GradientShader.MakeRadial(
            center=(x, y), radius=radius, colors=[skia_color(color, alpha), skia_color(color, alpha * 0.3), skia_color(color, 0)], positions=[0, 0.4, 1]
        )
        self.canvas.drawCircle(x, y, radius, skia.Paint(AntiAlias=True, Shader=shader))

    def ridge(self, base: float, height: float, bumps: int, jagged: bool = False) -> skia.Path:
        """A skyline from edge to edge, closed below the picture."""
        rng, count = self.rng, bumps * 2
        start = rng.random()
        points = []
        for i in range(-1, count + 2):
            up = (i % 2) * rng.uniform(0.6, 1.0) + (1 - i % 2) * rng.uniform(0.0, 0.25)
            points.append(((i + 0.5 * start) * self.w / count, base - height * up))
        curve = poly_line(points) if jagged else smooth(*points, closed=False)
        curve.lineTo(self.w + 0.5, self.h + 0.1)
        curve.lineTo(-0.5, self.h + 0.1)
        curve.close()
        return curve

    def ground(self, top: Rgb, bottom: Rgb, wave: float = 0.015):
        self.gradient(self.ridge(self.horizon + wave, wave * 1.6, 2), self.near(top), self.near(bottom), self.horizon, self.h)

    # ------------------------------------------------------------ sky

    def sky(self):
        hour, rng = self.hour, self.rng
        shader = skia.GradientShader.MakeLinear(
            points=[(0, 0), (0, self.horizon)], colors=[skia_color(c) for c in hour.sky], positions=[0, 0.55, 1]
        )
        self.canvas.drawRect(skia.Rect.MakeWH(self.w, self.h), skia.Paint(Shader=shader))
        if self.time == 'night':
            for _ in range(26):
                x, y, r = rng.random() * self.w, rng.random() ** 1.3 * self.horizon, rng.uniform(0.0022, 0.0052)
                self.flat(oval(x, y, r), rgb(240, 240, 255), rng.uniform(0.5, 1))
            self.glow(self.sun_x, 0, 0.7, rgb(120, 140, 220), 0.22)
            return
        y = self.horizon * (1 - hour.sun_height)
        self.glow(self.sun_x, y, 0.5 if self.time != 'day' else 0.36, hour.sun, 0.75)
        self.flat(oval(self.sun_x, y, hour.sun_radius), mix(hour.sun, rgb(255, 255, 255), 0.5))
        cloud = {'morning': rgb(255, 234, 236), 'day': rgb(255, 255, 255), 'sunset': rgb(250, 150, 118)}[self.time]
        for _ in range(rng.choice((1, 2, 2, 3))):
            x, y = rng.random() * self.w, self.horizon * rng.uniform(0.1, 0.7)
            size = rng.uniform(0.07, 0.12)
            self._cloud(x, y, size, cloud)

    def _cloud(self, x: float, y: float, size: float, color: Rgb):
        if self.time == 'day':
            for dx, dy, r in ((-0.9, 0.1, 0.42), (-0.3, -0.22, 0.6), (0.4, -0.1, 0.5), (0.95, 0.14, 0.36)):
                self.flat(oval(x + dx * size, y + dy * size, r * size), color, 0.85)
            self.flat(box(x - 1.2 * size, y + 0.05 * size, x + 1.2 * size, y + 0.48 * size, 0.2 * size), color, 0.85)
        else:
            for dx, dy, width in ((0, 0, 1.7), (0.5, 0.22, 1.2)):
                self.flat(oval(x + dx * size, y + dy * size, width * size, 0.11 * size), color, 0.7)


def poly_line(points) -> skia.Path:
    path = skia.Path()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    return path
