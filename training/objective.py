"""What is trained together, its loss, and how it is validated."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .caption_labels import CaptionHead
from .diffusion import add_noise, loss_weight, stratified_timesteps
from .latents import Batch
from .t5 import T5
from .things import THINGS
from .transformer import DEPTH, WIDTH, Transformer
from .world import HUES

TAP = DEPTH // 2  # blocks before the label head
LABEL_WEIGHT, WORD_WEIGHT = 0.1, 0.1
CLASSES = len(THINGS) + 1, len(HUES) + 1, 2  # of a patch: thing, colour, and where in the thing it lies


class Model(nn.Module):
    def __init__(self, compressed: bool = False):
        super().__init__()
        self.t5, self.transformer = T5(), Transformer(compressed)
        # Used in training only and not exported: what stands in each patch, from the tokens half way; what each word says.
        self.labels, self.words = nn.Linear(WIDTH, sum(CLASSES)), CaptionHead()

    def forward(self, latents: Tensor, timesteps: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        return self.transformer(latents, timesteps, self.t5(ids, mask), mask)


def label_loss(predicted: Tensor, batch: Batch) -> Tensor:
    """As representation alignment does with a pretrained encoder, but with what the renderer knows."""
    things, colors, places = predicted.float().split(CLASSES, dim=-1)
    kinds = batch.kinds.flatten(2)  # (B, 2, N)
    here = (kinds[:, 0] > 0).unsqueeze(-1)
    where = ((places - batch.places.flatten(2).transpose(1, 2)).square() * here).sum() / here.sum().clamp(min=1)
    return F.cross_entropy(things.flatten(0, 1), kinds[:, 0].flatten()) + F.cross_entropy(colors.flatten(0, 1), kinds[:, 1].flatten()) + 2 * where


def loss(model: Model, batch: Batch) -> tuple[Tensor, ...]:
    """What is differentiated, and for the log: error of the noise, loss of the patches' labels and of the words'."""
    t, noise = stratified_timesteps(len(batch.latents)), torch.randn_like(batch.latents)
    states = model.t5(batch.ids, batch.mask)
    out, tokens = model.transformer(add_noise(batch.latents, noise, t), t, states, batch.mask, tap=TAP)
    squares = (out[:, :4].float() - noise).square().mean((1, 2, 3))
    labels, words = label_loss(model.labels(tokens), batch), sum(model.words.losses(states, batch.words))
    return (loss_weight(t) * squares).mean() + LABEL_WEIGHT * labels + WORD_WEIGHT * words, squares.mean(), labels, words


@torch.no_grad()
def validate(model: Model, batch: Batch, size: int = 32) -> float:
    """Mean squared error of the noise, always at the same timesteps with the same noise."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(batch.latents.shape, generator=generator)
    t = ((torch.arange(len(noise)) + 0.5) * 1000 / len(noise)).long()[torch.randperm(len(noise), generator=generator)]
    noised, total = add_noise(batch.latents, noise, t), 0.0
    for i in range(0, len(noise), size):
        rows = slice(i, i + size)
        out = model(noised[rows], t[rows], batch.ids[rows], batch.mask[rows])
        total += (out[:, :4].float() - noise[rows]).square().mean((1, 2, 3)).sum().item()
    return total / len(noise)
