"""A small painting vocabulary on top of Skia: colours and paths."""

import skia

Rgb = tuple[float, float, float]


def mix(a: Rgb, b: Rgb, amount: float) -> Rgb:
    return tuple(x + (y - x) * amount for x, y in zip(a, b))


def rgb(red: int, green: int, blue: int) -> Rgb:
    return (red / 255, green / 255, blue / 255)


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
