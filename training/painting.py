"""The picture of a Spec: landscape, then each thing with its light, shadow or reflection."""

from random import Random

import numpy as np
import skia
from PIL import Image

from .brush import Rgb, mix, rgb, skia_color
from .layout import Ground, Layout, Placed
from .scenery import Scene
from .settings import paint_scenery
from .sprites import sprite
from .things import THINGS
from .world import Group, Spec

SUPERSAMPLING = 2
SMOOTH = skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kNearest)
WATER = rgb(30, 96, 150)
SHADOW = skia.Color(14, 12, 34, 255)


def square(size: float) -> skia.Rect:
    return skia.Rect.MakeLTRB(-size / 2, -size, size / 2, 0)


def gradient(points, colors) -> skia.Shader:
    return skia.GradientShader.MakeLinear(points=points, colors=colors)


def on_top(shader: skia.Shader) -> skia.Paint:
    """Colours only what is already there."""
    return skia.Paint(Shader=shader, BlendMode=skia.BlendMode.kSrcATop)


def tinted(color: Rgb) -> skia.Paint:
    red, green, blue = color
    matrix = [red, 0, 0, 0, 0, 0, green, 0, 0, 0, 0, 0, blue, 0, 0, 0, 0, 0, 1, 0]
    return skia.Paint(ColorFilter=skia.ColorFilters.Matrix(matrix))


def pose(canvas: skia.Canvas, item: Placed):
    canvas.translate(item.x, item.y)
    canvas.rotate(item.turn)
    if item.flipped:
        canvas.scale(-1, 1)


def draw_lit(canvas: skia.Canvas, scene: Scene, item: Placed, group: Group):
    """The thing, tinted by the hour, brighter towards the sun and darker on the other side and at its feet."""
    size, rect = item.size, square(item.size)
    toward = -scene.side if item.flipped else scene.side
    color, strength = scene.hour.light
    canvas.save()
    pose(canvas, item)
    canvas.saveLayer(rect.makeOutset(0.02, 0.02))
    canvas.drawImageRect(sprite(group.thing, group.color), rect, SMOOTH, tinted(scene.hour.tint))
    lit, dark = (toward * size * 0.45, -size), (-toward * size * 0.45, -size * 0.1)
    canvas.drawRect(rect, on_top(skia.GradientShader.MakeLinear(
        points=[lit, dark], colors=[skia_color(color, strength), skia_color(color, 0), skia_color(rgb(20, 14, 50), 0), skia_color(rgb(20, 14, 50), 0.26)], positions=[0, 0.5, 0.5, 1]
    )))  # fmt: skip
    if not THINGS[group.thing].flies:
        canvas.drawRect(rect, on_top(gradient([(0, -0.2 * size), (0, 0)], [skia_color(rgb(20, 14, 40), 0), skia_color(rgb(20, 14, 40), 0.22)])))
    if scene.setting == 'underwater':
        canvas.drawRect(rect, skia.Paint(Color=skia_color(WATER, 0.16), BlendMode=skia.BlendMode.kSrcATop))
    canvas.restore()
    canvas.restore()


def draw_shadow(canvas: skia.Canvas, scene: Scene, item: Placed, group: Group):
    """A soft dark spot under the feet, and the outline thrown away from the sun."""
    low_sun = scene.time in ('morning', 'sunset')
    canvas.save()
    canvas.translate(item.x, item.y)
    canvas.save()
    canvas.scale(item.size * 0.44, item.size * 0.06)
    shader = skia.GradientShader.MakeRadial(center=(0, 0), radius=1, colors=[skia_color(rgb(14, 12, 34), 0.5), skia_color(rgb(14, 12, 34), 0.36), skia_color(rgb(14, 12, 34), 0)], positions=[0, 0.5, 1])
    canvas.drawCircle(0, 0, 1, skia.Paint(AntiAlias=True, Shader=shader))
    canvas.restore()
    if scene.time != 'night':
        lean = -scene.side * (1.6 if low_sun else 0.5)
        canvas.concat(skia.Matrix.MakeAll(-1 if item.flipped else 1, -lean * 0.32, 0, 0, -0.2 if low_sun else -0.26, 0, 0, 0, 1))
        paint = skia.Paint(ColorFilter=skia.ColorFilters.Blend(SHADOW, skia.BlendMode.kSrcIn), ImageFilter=skia.ImageFilters.Blur(0.012, 0.012))
        paint.setAlphaf(0.2)
        canvas.drawImageRect(sprite(group.thing, None), square(item.size), SMOOTH, paint)
    canvas.restore()


def draw_reflection(canvas: skia.Canvas, scene: Scene, item: Placed, group: Group):
    """The thing upside down in the water, fading with depth."""
    size = item.size
    reach = skia.Rect.MakeLTRB(-size, 0, size, 0.62 * size)
    canvas.save()
    canvas.translate(item.x, item.y - 0.035 * size)
    canvas.saveLayer(reach.makeOutset(0.02, 0.02))
    canvas.save()
    canvas.scale(-1 if item.flipped else 1, -0.72)
    canvas.drawImageRect(sprite(group.thing, group.color), square(size), SMOOTH, tinted(mix(scene.hour.tint, scene.near(rgb(120, 170, 210)), 0.5)))
    canvas.restore()
    fade = skia.Paint(Shader=gradient([(0, 0), (0, 0.6 * size)], [skia.Color(0, 0, 0, 130), skia.Color(0, 0, 0, 0)]), BlendMode=skia.BlendMode.kDstIn)
    canvas.drawRect(reach.makeOutset(0.02, 0.02), fade)
    canvas.restore()
    canvas.restore()


def draw_waterline(canvas: skia.Canvas, scene: Scene, item: Placed):
    """Ripples where the thing enters the water."""
    color = mix(scene.near(rgb(200, 230, 244)), scene.hour.sky[2], 0.2)
    for width, lift, alpha in ((0.5, 0.0, 0.55), (0.38, 0.025, 0.4), (0.56, 0.05, 0.25)):
        half, y = item.size * width * 0.9, item.y + item.size * (lift - 0.01)
        canvas.drawOval(skia.Rect.MakeLTRB(item.x - half, y - 0.006, item.x + half, y + 0.006), skia.Paint(AntiAlias=True, Color=skia_color(color, alpha)))


def draw_thing(canvas: skia.Canvas, scene: Scene, ground: Ground, item: Placed, group: Group):
    if ground.hovers(group.thing):
        return draw_lit(canvas, scene, item, group)
    if scene.setting != 'sea':
        draw_shadow(canvas, scene, item, group)
        return draw_lit(canvas, scene, item, group)
    draw_reflection(canvas, scene, item, group)
    draw_lit(canvas, scene, item, group)
    draw_waterline(canvas, scene, item)


def ground_of(scene: Scene) -> Ground:
    return Ground(scene.w, scene.h, scene.horizon, scene.setting == 'underwater')


def render(spec: Spec, seed: int, bin_: tuple[int, int] = (16, 16), pixels: int = 256) -> tuple[np.ndarray, list[Placed]]:
    """The picture (H, W, 3) as bytes and where its things stand, in units of 256 px at full scale."""
    rng = Random(seed)
    unit = pixels // 16
    height, width = bin_[0] * unit, bin_[1] * unit
    buffer = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING, 4), np.uint8)
    canvas = skia.Surface(buffer, colorType=skia.kRGBA_8888_ColorType).getCanvas()
    canvas.scale(pixels * SUPERSAMPLING, pixels * SUPERSAMPLING)
    scene = Scene(canvas, width / pixels, height / pixels, spec.setting, spec.time, rng)
    paint_scenery(scene)
    ground = ground_of(scene)
    placed = Layout(rng, spec, ground).arrange()
    for item in placed:
        draw_thing(canvas, scene, ground, item, spec.groups[item.group])
    return np.array(Image.fromarray(buffer, 'RGBX').convert('RGB').reduce(SUPERSAMPLING)), placed


def silhouettes(spec: Spec, placed: list[Placed], bin_: tuple[int, int], cells: int) -> np.ndarray:
    """How much of each cell each placed thing covers, (things, h, w); `cells` to 16 units."""
    height, width = bin_[0] * cells // 16, bin_[1] * cells // 16
    masks, fine = [], 4
    for item in placed:
        buffer = np.zeros((height * fine, width * fine, 4), np.uint8)
        canvas = skia.Surface(buffer, colorType=skia.kRGBA_8888_ColorType).getCanvas()
        canvas.scale(cells * fine, cells * fine)
        pose(canvas, item)
        canvas.drawImageRect(sprite(spec.groups[item.group].thing, None), square(item.size), SMOOTH)
        alpha = buffer[:, :, 3].reshape(height, fine, width, fine) / 255
        masks.append(alpha.mean((1, 3)))
    return np.stack(masks)
