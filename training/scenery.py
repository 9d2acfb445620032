"""The 8 settings at 4 times of day, painted back to front in units of 256 pixels."""

from dataclasses import dataclass
from random import Random

import skia

from .brush import Light, Rgb, box, mix, oval, poly, rgb, skia_color, smooth

SETTINGS = ('sea', 'beach', 'meadow', 'desert', 'snow', 'mountains', 'forest', 'city')
TIMES = ('morning', 'day', 'sunset', 'night')


@dataclass(frozen=True)
class Hour:
    sky: tuple[Rgb, Rgb, Rgb]  # zenith, middle, horizon
    sun: Rgb | None
    sun_height: float  # above the horizon, as a fraction of the sky
    sun_radius: float
    ground: Rgb  # multiplies the landscape
    tint: Rgb  # multiplies the things in it, less, so that colours stay themselves
    contrast: float


HOURS = {
    'morning': Hour((rgb(150, 172, 222), rgb(226, 196, 224), rgb(255, 222, 204)), rgb(255, 246, 214), 0.22, 0.06, (0.94, 0.9, 0.97), (1.0, 0.96, 0.96), 0.2),
    'day': Hour((rgb(44, 128, 222), rgb(112, 182, 240), rgb(206, 234, 250)), rgb(255, 250, 220), 0.82, 0.06, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 0.22),
    'sunset': Hour((rgb(84, 58, 128), rgb(226, 96, 88), rgb(255, 192, 88)), rgb(255, 232, 150), 0.12, 0.085, (0.92, 0.66, 0.6), (1.0, 0.88, 0.8), 0.26),
    'night': Hour((rgb(12, 18, 58), rgb(28, 42, 98), rgb(66, 88, 150)), None, 0.8, 0.0, (0.4, 0.47, 0.7), (0.78, 0.81, 0.95), 0.2),
}


class Scene:
    """One empty landscape: paints itself, then tells where things stand and how they are lit."""

    def __init__(self, canvas: skia.Canvas, width: float, height: float, setting: str, time: str, rng: Random):
        self.canvas, self.w, self.h, self.rng = canvas, width, height, rng
        self.setting, self.time, self.hour = setting, time, HOURS[time]
        self.horizon = height * rng.uniform(0.56, 0.64)
        self.side = rng.choice((-1, 1))
        self.sun_x = width * (0.5 + self.side * rng.uniform(0.2, 0.38))
        self.light = Light(self.hour.tint, self.side, self.hour.contrast, time == 'night')

    def paint(self):
        self._sky()
        PAINTERS[self.setting](self)

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

    def _sky(self):
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


# ---------------------------------------------------------------- settings


def water(s: Scene, top: float, bottom: float):
    s.gradient(box(-0.1, top, s.w + 0.1, s.h + 0.1), s.far(rgb(86, 166, 206), 0.42), s.near(rgb(18, 84, 142)), top, bottom)
    if s.hour.sun and s.time != 'day':
        for i in range(7):
            y = top + (bottom - top) * (0.03 + 0.075 * i)
            half = s.rng.uniform(0.03, 0.06) * (1 + 0.25 * i)
            s.flat(oval(s.sun_x + s.rng.uniform(-0.02, 0.02), y, half, 0.006 + 0.0012 * i), s.hour.sun, 0.55)


def sea(s: Scene):
    water(s, s.horizon, s.h)
    light = s.far(rgb(190, 226, 240), 0.2)
    for i in range(9):
        y = s.horizon + (s.h - s.horizon) * (0.08 + 0.1 * i)
        x, half = s.rng.random() * s.w, s.rng.uniform(0.05, 0.11) * (0.6 + 0.12 * i)
        s.flat(oval(x, y, half, 0.0035 + 0.0008 * i), light, 0.5)


def beach(s: Scene):
    shore = s.horizon + (s.h - s.horizon) * 0.3
    water(s, s.horizon, shore + 0.1)
    points = [(s.w * i / 4 - 0.02, shore + s.rng.uniform(-0.014, 0.014)) for i in range(-1, 6)]
    for lift, color in ((0.0, rgb(255, 255, 255)), (0.016, rgb(206, 176, 122)), (0.05, rgb(244, 220, 166))):
        edge = smooth(*[(x, y + lift) for x, y in points], closed=False)
        edge.lineTo(s.w + 0.5, s.h + 0.1)
        edge.lineTo(-0.5, s.h + 0.1)
        edge.close()
        s.gradient(edge, s.near(color), s.near(mix(color, rgb(214, 172, 110), 0.75)), shore, s.h)


def meadow(s: Scene):
    s.gradient(s.ridge(s.horizon, 0.12, 2), s.far(rgb(120, 168, 110), 0.5), s.far(rgb(120, 176, 90), 0.3), s.horizon - 0.12, s.horizon + 0.1)
    s.gradient(s.ridge(s.horizon + 0.02, 0.06, 1), s.far(rgb(116, 182, 84), 0.22), s.near(rgb(104, 176, 72)), s.horizon - 0.05, s.horizon + 0.1)
    s.ground(rgb(136, 200, 84), rgb(58, 138, 58))
    for _ in range(22):
        depth = s.rng.random()
        x, y = s.rng.random() * s.w, s.horizon + 0.04 + (s.h - s.horizon - 0.04) * depth
        r = 0.003 + 0.005 * depth
        s.flat(oval(x, y, r), s.near(s.rng.choice((rgb(255, 255, 240), rgb(255, 236, 130)))), 0.9)


def desert(s: Scene):
    left = s.rng.uniform(0, 0.6) * s.w
    width, top = s.rng.uniform(0.22, 0.34), s.horizon - s.rng.uniform(0.1, 0.15)
    s.gradient(poly((left - 0.05, s.horizon + 0.05), (left, top), (left + width, top + 0.01), (left + width + 0.06, s.horizon + 0.05)), s.far(rgb(196, 104, 62), 0.35), s.far(rgb(210, 130, 80), 0.5))
    s.gradient(s.ridge(s.horizon + 0.02, 0.07, 2), s.far(rgb(244, 186, 108), 0.2), s.near(rgb(226, 150, 78)), s.horizon - 0.06, s.horizon + 0.1)
    s.gradient(s.ridge(s.horizon + 0.1, 0.09, 1), s.near(rgb(250, 194, 112)), s.near(rgb(206, 126, 60)), s.horizon, s.h)
    s.gradient(s.ridge(s.horizon + 0.24, 0.1, 1), s.near(rgb(252, 196, 112)), s.near(rgb(222, 144, 70)), s.horizon + 0.1, s.h)


def pine(s: Scene, x: float, base: float, height: float, color: Rgb, snow: Rgb | None = None):
    for i in range(3):
        y, half = base - height * 0.25 * i, height * (0.26 - 0.06 * i)
        tier = poly((x - half, y - 0.08 * height), (x, y - 0.52 * height), (x + half, y - 0.08 * height))
        s.flat(tier, color)
        if snow:
            s.flat(poly((x - half * 0.5, y - 0.3 * height), (x, y - 0.52 * height), (x + half * 0.5, y - 0.3 * height)), snow)


def snow(s: Scene):
    s.gradient(s.ridge(s.horizon, 0.13, 2), s.far(rgb(214, 228, 246), 0.3), s.far(rgb(190, 208, 234), 0.2), s.horizon - 0.13, s.horizon + 0.05)
    for _ in range(s.rng.choice((3, 4, 5))):
        pine(s, s.rng.random() * s.w, s.horizon + 0.035, s.rng.uniform(0.12, 0.19), s.far(rgb(52, 92, 96), 0.25), s.near(rgb(240, 246, 255)))
    s.ground(rgb(250, 252, 255), rgb(184, 206, 236), 0.02)
    s.gradient(s.ridge(s.horizon + 0.2, 0.07, 1), s.near(rgb(255, 255, 255)), s.near(rgb(186, 206, 238)), s.horizon + 0.12, s.h)
    for _ in range(24):
        s.flat(oval(s.rng.random() * s.w, s.rng.random() * s.h, s.rng.uniform(0.004, 0.008)), rgb(255, 255, 255), 0.85)


def mountains(s: Scene):
    for i, (height, haze) in enumerate(((0.36, 0.5), (0.27, 0.22))):
        base = s.horizon + 0.02
        for k in range(3):
            x = s.w * (k + 0.5 * i + s.rng.uniform(-0.15, 0.15)) / 2.2
            top, half = base - height * s.rng.uniform(0.75, 1.0), height * s.rng.uniform(0.8, 1.0)
            s.gradient(poly((x - half, base), (x, top), (x + half, base)), s.far(rgb(98, 104, 128), haze), s.far(rgb(112, 126, 132), haze + 0.1))
            s.flat(poly((x - s.side * half, base), (x, top), (x - s.side * 0.1 * half, base)), s.near(rgb(40, 44, 80)), 0.25)
            cap = 0.3
            s.flat(poly((x - half * cap, top + (base - top) * cap), (x, top), (x + half * cap, top + (base - top) * cap), (x + half * 0.12, top + (base - top) * 0.22), (x - half * 0.05, top + (base - top) * 0.36)), s.far(rgb(250, 252, 255), 0.1))
    s.ground(rgb(146, 150, 118), rgb(84, 88, 78))
    for _ in range(7):
        depth = s.rng.random()
        x, y, r = s.rng.random() * s.w, s.horizon + 0.05 + (s.h - s.horizon) * 0.9 * depth, 0.014 + 0.026 * depth
        s.gradient(smooth((x - r, y), (x - 0.5 * r, y - 0.7 * r), (x + 0.5 * r, y - 0.6 * r), (x + r, y)), s.near(rgb(168, 168, 168)), s.near(rgb(98, 100, 108)))


def forest(s: Scene):
    for count, height, haze, drop in ((9, 0.4, 0.5, 0.0), (8, 0.5, 0.2, 0.02)):
        for i in range(count):
            x = s.w * (i + s.rng.uniform(0.1, 0.9)) / count
            pine(s, x, s.horizon + 0.04 + drop, height * s.rng.uniform(0.75, 1.0), s.far(rgb(30, 84, 62), haze))
    s.ground(rgb(84, 122, 58), rgb(34, 62, 40), 0.02)
    for _ in range(12):
        depth = s.rng.random()
        x, y, r = s.rng.random() * s.w, s.horizon + 0.06 + (s.h - s.horizon) * 0.9 * depth, 0.014 + 0.022 * depth
        s.flat(poly((x - r, y - r), (x, y), (x - 0.3 * r, y - 1.5 * r), (x + 0.1 * r, y), (x + 0.5 * r, y - 1.5 * r), (x + 0.2 * r, y), (x + r, y - r), (x + 0.15 * r, y + 0.002)), s.near(rgb(70, 138, 66)))


def city(s: Scene):
    lit = s.time == 'night'
    x = -0.05
    while x < s.w:
        width, top = s.rng.uniform(0.1, 0.17), s.horizon - s.rng.uniform(0.22, 0.42)
        s.flat(box(x, top, x + width, s.h), s.far(rgb(112, 124, 156), 0.5))
        x += width
    x = -s.rng.uniform(0, 0.1)
    while x < s.w:
        width, top = s.rng.uniform(0.15, 0.22), s.horizon - s.rng.uniform(0.08, 0.26)
        body = s.rng.choice((rgb(126, 120, 138), rgb(150, 128, 122), rgb(104, 118, 142), rgb(142, 142, 150)))
        s.gradient(box(x, top, x + width, s.h), s.far(body, 0.12), s.near(body), top, s.horizon + 0.05)
        for row in range(int((s.horizon - top) / 0.07)):
            for col in range(3):
                wx, wy = x + width * (0.16 + 0.26 * col), top + 0.025 + 0.07 * row
                on = lit and s.rng.random() < 0.65
                s.flat(box(wx, wy, wx + width * 0.15, wy + 0.034), rgb(255, 216, 120) if on else s.near(rgb(206, 222, 236)), 1 if on else 0.7)
        x += width + 0.006
    s.gradient(box(-0.1, s.horizon, s.w + 0.1, s.h + 0.1), s.near(rgb(178, 174, 170)), s.near(rgb(196, 190, 184)), s.horizon, s.horizon + 0.08)
    road = s.horizon + 0.075
    s.gradient(box(-0.1, road, s.w + 0.1, s.h + 0.1), s.near(rgb(104, 106, 116)), s.near(rgb(70, 72, 84)), road, s.h)
    lane = road + (s.h - road) * 0.42
    start = s.rng.uniform(-0.2, 0)
    for i in range(6):
        left = start + 0.28 * i
        s.flat(poly((left, lane), (left + 0.13, lane), (left + 0.12, lane + 0.018), (left - 0.012, lane + 0.018)), s.near(rgb(240, 236, 220)))


PAINTERS = {'sea': sea, 'beach': beach, 'meadow': meadow, 'desert': desert, 'snow': snow, 'mountains': mountains, 'forest': forest, 'city': city}
