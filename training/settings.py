"""The ten settings, each painted back to front onto the sky of its time of day."""

from .brush import Rgb, box, mix, oval, poly, rgb, smooth
from .scenery import Scene


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


def window(s: Scene, x: float, y: float, width: float, height: float):
    """The sky of the hour behind four panes."""
    s.flat(box(x - 0.02, y - 0.02, x + width + 0.02, y + height + 0.02), s.near(rgb(250, 246, 238)))
    s.gradient(box(x, y, x + width, y + height), s.hour.sky[0], mix(s.hour.sky[1], s.hour.sky[2], 0.6))
    if s.time == 'night':
        for _ in range(6):
            s.flat(oval(x + s.rng.random() * width, y + s.rng.random() * height, 0.004), rgb(240, 240, 255), 0.9)
        s.flat(oval(x + 0.7 * width, y + 0.3 * height, 0.03), rgb(250, 240, 206))
    else:
        s.flat(oval(x + width * 0.65, y + height * (0.95 - 0.8 * s.hour.sun_height), s.hour.sun_radius * 0.7), s.hour.sun)
    bar = s.near(rgb(250, 246, 238))
    s.flat(box(x + width / 2 - 0.008, y, x + width / 2 + 0.008, y + height), bar)
    s.flat(box(x, y + height / 2 - 0.008, x + width, y + height / 2 + 0.008), bar)


def room(s: Scene):
    wall = s.rng.choice((rgb(238, 214, 190), rgb(196, 214, 226), rgb(214, 224, 196), rgb(232, 206, 214)))
    floor = s.horizon + 0.04
    s.gradient(box(-0.1, -0.1, s.w + 0.1, floor), s.near(mix(wall, rgb(120, 110, 130), 0.12)), s.near(wall), 0, floor)
    width, height = s.rng.uniform(0.26, 0.34), floor * s.rng.uniform(0.5, 0.6)
    left = s.w * 0.5 + s.side * s.w * 0.29 - width / 2
    window(s, left, floor * 0.14, width, height)
    s.flat(box(-0.1, floor - 0.03, s.w + 0.1, floor), s.near(rgb(246, 240, 232)))
    s.gradient(box(-0.1, floor, s.w + 0.1, s.h + 0.1), s.near(rgb(166, 112, 72)), s.near(rgb(198, 140, 90)), floor, s.h)
    for i in range(-6, 7):
        far = s.w / 2 + i * 0.075
        s.flat(poly((far, floor), (far + 0.003, floor), (s.w / 2 + i * 0.2 + 0.006, s.h), (s.w / 2 + i * 0.2, s.h)), s.near(rgb(112, 72, 46)), 0.55)
    if s.time != 'night':
        drift = -s.side * 0.22
        s.flat(poly((left + drift * 0.3, floor + 0.06), (left + width + drift * 0.3, floor + 0.06), (left + width + drift, s.h), (left + drift - 0.06, s.h)), s.hour.sun, 0.2)
    else:
        s.glow(s.w / 2 - s.side * s.w * 0.3, floor * 0.35, 0.55, rgb(255, 206, 130), 0.3)


def underwater(s: Scene):
    top = {'morning': rgb(170, 226, 216), 'day': rgb(84, 206, 226), 'sunset': rgb(236, 140, 120), 'night': rgb(22, 44, 104)}[s.time]
    deep = {'morning': rgb(40, 128, 176), 'day': rgb(16, 96, 176), 'sunset': rgb(70, 50, 118), 'night': rgb(6, 12, 46)}[s.time]
    bottom = s.horizon + 0.1
    s.gradient(box(-0.1, -0.1, s.w + 0.1, s.h + 0.1), top, deep, 0, bottom + 0.1)
    s.glow(s.sun_x, 0, 0.6, mix(top, rgb(255, 255, 255), 0.6), 0.5)
    for i in range(5):
        x, spread = s.sun_x + (i - 2) * 0.13, s.rng.uniform(0.02, 0.05)
        reach = x + (x - s.sun_x) * 1.6 - s.side * 0.12
        s.flat(poly((x - spread, -0.02), (x + spread, -0.02), (reach + 3 * spread, bottom), (reach - 3 * spread, bottom)), mix(top, rgb(255, 255, 255), 0.5), 0.1)
    sand, shade = s.far(rgb(226, 204, 160), 0.0), deep
    for lift, amount in ((0.0, 0.42), (0.07, 0.2)):
        s.gradient(s.ridge(bottom - 0.02 + lift, 0.05, 2), mix(sand, shade, amount), mix(sand, shade, amount - 0.1), bottom - 0.04, s.h)
    for _ in range(5):
        x, base, height = s.rng.random() * s.w, bottom + s.rng.uniform(-0.01, 0.06), s.rng.uniform(0.12, 0.24)
        sway, color = s.rng.uniform(0.02, 0.05), mix(s.near(s.rng.choice((rgb(60, 160, 90), rgb(40, 130, 110), rgb(214, 90, 120)))), shade, 0.35)
        s.flat(smooth((x - 0.014, base), (x - 0.02 + sway, base - 0.4 * height), (x - sway, base - 0.75 * height), (x + sway * 0.4, base - height), (x - sway * 0.3, base - 0.6 * height), (x + 0.014 + sway, base - 0.35 * height), (x + 0.014, base)), color)
    for _ in range(12):
        x, y, r = s.rng.random() * s.w, s.rng.random() * bottom, s.rng.uniform(0.004, 0.011)
        s.flat(oval(x, y, r), rgb(255, 255, 255), 0.28)
        s.flat(oval(x - 0.3 * r, y - 0.3 * r, 0.35 * r), rgb(255, 255, 255), 0.6)


PAINTERS = {
    'sea': sea, 'beach': beach, 'meadow': meadow, 'desert': desert, 'snow': snow, 'mountains': mountains, 'forest': forest,
    'city': city, 'room': room, 'underwater': underwater,
}  # fmt: skip
SETTINGS = tuple(PAINTERS)


def paint_scenery(scene: Scene):
    scene.sky()
    PAINTERS[scene.setting](scene)
