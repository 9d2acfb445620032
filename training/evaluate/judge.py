"""The judge: a classifier that says what stands where in a picture. It is trained on rendered pictures only.

For each of 8 x 8 cells it names the thing and the colour that stand there, and for the picture its setting, its time and
how many things there are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import checkpoint
from ..scenery import TIMES
from ..settings import SETTINGS
from ..things import THINGS
from ..world import HUES

PATH = checkpoint.RUNS / 'judge.pt'
CELLS, MOST, FEATURES = 8, 3, 256
SIDE = 128  # larger pictures are averaged down to it
THING_NAMES = list(THINGS)


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU())


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            block(3, 32, 2), block(32, 64, 2), block(64, 64), block(64, 128, 2), block(128, 128), block(128, FEATURES, 2), block(FEATURES, FEATURES), block(FEATURES, FEATURES)
        )  # fmt: skip
        self.cells = nn.Conv2d(FEATURES, 1 + len(THINGS) + 1 + len(HUES), 1)
        self.image = nn.Sequential(nn.Conv2d(FEATURES, 32, 1), nn.SiLU(), nn.Flatten(), nn.Linear(32 * CELLS * CELLS, 128), nn.SiLU(), nn.Linear(128, len(SETTINGS) + len(TIMES) + MOST))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Logits of thing and colour per cell, (B, n, 8, 8), and of setting, time and number, (B, n)."""
        x = self.body(pixels)
        return *self.cells(x).split((1 + len(THINGS), 1 + len(HUES)), dim=1), *self.image(x).split((len(SETTINGS), len(TIMES), MOST), dim=1)

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 256), for the Frechet distance."""
        return self.body(reduced(pixels)).mean((2, 3))


class Verdict:
    """What the judge sees in one picture."""

    def __init__(self, things: Tensor, colors: Tensor, setting: Tensor, time: Tensor, number: Tensor):
        self.thing_cells = things.softmax(0)[1:]  # (things, 8, 8)
        self.color_cells = colors.softmax(0)[1:]  # (colours, 8, 8), the thing's own colours first
        self.amounts = self.thing_cells.sum((1, 2))  # cells' worth of each thing
        self.setting, self.time = SETTINGS[int(setting.argmax())], TIMES[int(time.argmax())]
        self.number = 1 + int(number.argmax())

    def things(self, count: int) -> set[str]:
        return {THING_NAMES[i] for i in self.amounts.topk(count).indices}

    def color_of(self, thing: str) -> str | None:
        """The colour that prevails where the thing stands."""
        where = self.thing_cells[THING_NAMES.index(thing)]
        return HUES[int((self.color_cells * where).sum((1, 2)).argmax())]

    def center(self, thing: str) -> tuple[float, float]:
        """Where the thing stands, in cells from the left and from the top."""
        cells = self.thing_cells[THING_NAMES.index(thing)]
        place = torch.arange(CELLS, dtype=cells.dtype)
        return tuple(((cells.sum(axis) * place).sum() / cells.sum()).item() for axis in (0, 1))


def reduced(pixels: Tensor) -> Tensor:
    return F.interpolate(pixels, (SIDE, SIDE), mode='area')


@torch.no_grad()
def judge(model: Judge, pixels: Tensor) -> list[Verdict]:
    """(B, 3, H, W) in [-1, 1]."""
    outputs = model(reduced(pixels))
    return [Verdict(*(output[i] for output in outputs)) for i in range(len(pixels))]


def load() -> Judge:
    model = Judge()
    model.load_state_dict(checkpoint.load(PATH)['model'])
    return model.eval()
