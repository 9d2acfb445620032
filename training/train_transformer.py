"""Train the transformer and its text encoder together, weak to strong; the same command goes on:

    python -m training.train_transformer --stage low --minutes 45          # 128 px
    python -m training.train_transformer --stage high --minutes 30         # 256 px, positions interpolated
    python -m training.train_transformer --stage compressed --minutes 8    # 256 px, keys and values compressed
"""

import argparse
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import checkpoint
from .caption_labels import CaptionHead
from .checkpoint import CORES
from .diffusion import add_noise, loss_weight, stratified_timesteps
from .latents import Batch, Latents
from .muon import Muon
from .t5 import T5
from .things import THINGS
from .transformer import DEPTH, WIDTH, Transformer
from .twins import Twins
from .world import HUES

TAP = DEPTH // 2  # blocks before the label head
LABEL_WEIGHT, WORD_WEIGHT = 0.1, 0.05
CLASSES = len(THINGS) + 1, len(HUES) + 1, 2  # of a patch: thing, colour, and where in the thing it lies


@dataclass(frozen=True)
class Stage:
    pixels: int
    batch: int
    rate: float  # of Muon, for the matrices inside the blocks
    adam_rate: float  # for everything else
    starts_from: str | None
    compressed: bool = False


STAGES = {
    'low': Stage(128, 48, 5e-3, 2e-3, None),
    'high': Stage(256, 16, 2e-3, 8e-4, 'low'),
    'compressed': Stage(256, 16, 1e-3, 4e-4, 'high', compressed=True),
}


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


EXPORTED = checkpoint.RUNS / 'exported.pt'  # written by training.restore
TEXT = checkpoint.RUNS / 'text.pt'  # written by training.train_text


def path(stage: str):
    return checkpoint.RUNS / f'{stage}.pt'


def is_hidden_matrix(name: str, tensor: Tensor) -> bool:
    return tensor.ndim == 2 and ('transformer_blocks' in name or 'encoder.block' in name) and name.endswith('.weight') and 'relative' not in name


class Trainer:
    """A bf16 copy computes; masters, optimiser and moving average are fp32."""

    def __init__(self, stage_name: str, minutes: float):
        self.name, self.stage, self.limit = stage_name, STAGES[stage_name], minutes
        self.model = Model()
        state = checkpoint.load(path(stage_name))
        if state is None:
            before = self.stage.starts_from
            origin = checkpoint.load(path(before) if before else EXPORTED)
            if before and STAGES[before].compressed:
                self.model.transformer.add_compression()
            if origin:
                self.model.load_state_dict(origin['ema'])
            if not before and (text := checkpoint.load(TEXT)):
                self.model.t5.load_state_dict(text['t5'])
                self.model.words.load_state_dict(text['head'])
        if self.stage.compressed:
            self.model.transformer.add_compression()
        if state:
            self.model.load_state_dict(state['model'])
        self.masters = [p.detach().clone() for p in self.model.parameters()]
        self.names = [name for name, _ in self.model.named_parameters()]
        self.ema = [state['ema'][name].clone() for name in self.names] if state else [m.clone() for m in self.masters]
        matrices = [m for m, name in zip(self.masters, self.names) if is_hidden_matrix(name, m)]
        others = [m for m, name in zip(self.masters, self.names) if not is_hidden_matrix(name, m)]
        self.optimizers = (
            *(Muon(matrices[i::CORES], lr=self.stage.rate, iterations=4) for i in range(CORES)),
            torch.optim.AdamW(others, lr=self.stage.rate, betas=(0.9, 0.98), weight_decay=0, fused=True),
        )
        for optimizer, saved in zip(self.optimizers, state['optimizers'] if state else ()):
            optimizer.load_state_dict(saved)
        self.model.to(torch.bfloat16)
        self.twins = Twins(self.model)
        self.averaged = Model(self.stage.compressed).to(torch.bfloat16)  # holds the moving average to validate
        self.step, self.samples, self.history = (state[k] for k in ('step', 'samples', 'history')) if state else (0, 0, [])
        self.clock = checkpoint.Clock(state['minutes'] if state else 0.0)

    def save(self):
        named = lambda values: dict(zip(self.names, values))
        checkpoint.save(path(self.name), {
            'model': named(self.masters), 'ema': named(self.ema), 'optimizers': [o.state_dict() for o in self.optimizers], 'step': self.step,
            'samples': self.samples, 'minutes': self.clock.minutes(), 'history': self.history, 'compressed': self.stage.compressed,
        })  # fmt: skip

    @torch.no_grad()
    def update(self):
        self.twins.collect(self.masters)
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        done = min(self.clock.minutes() / self.limit, 1)
        pace = min(1, (self.step + 1) / 60) * min(1, 0.03 + (1 - done) / 0.3)
        for optimizer in self.optimizers:
            optimizer.param_groups[0]['lr'] = pace * (self.stage.rate if isinstance(optimizer, Muon) else self.stage.adam_rate)
        self.twins.map(lambda optimizer: optimizer.step(), self.optimizers)
        self.step += 1
        self.samples += self.stage.batch
        torch._foreach_lerp_(self.ema, self.masters, 1 - min(0.998, (1 + self.step) / (10 + self.step)))
        torch._foreach_copy_(list(self.model.parameters()), self.masters)

    @torch.no_grad()
    def validate(self, batch: Batch):
        torch._foreach_copy_(list(self.averaged.parameters()), self.ema)
        mse = validate(self.averaged, batch)
        self.history.append({'minutes': self.clock.minutes(), 'samples': self.samples, 'validation': mse})
        print(f'{self.clock.minutes():6.1f} min  {self.samples} samples  validation {mse:.4f}', flush=True)

    def run(self):
        latents, unseen = Latents(self.stage.pixels), Latents(self.stage.pixels, validation=True).fixed(128)
        self.validate(unseen)
        means = None
        next_validation = self.clock.minutes() + 4
        while self.clock.minutes() < self.limit:
            values = self.twins.backward(loss, [latents.batch(self.stage.batch // CORES) for _ in range(CORES)])
            self.update()
            means = [0.98 * mean + 0.02 * value for mean, value in zip(means or values, values)]
            if self.step % 100 == 0:
                log = '  '.join(f'{name} {mean:.4f}' for name, mean in zip(('mse', 'labels', 'words'), means))
                print(f'{self.clock.minutes():6.1f} min  step {self.step}  samples {self.samples}  {log}', flush=True)
            if self.clock.time_to_save():
                self.save()
            if self.clock.minutes() > next_validation:
                next_validation += 4
                self.validate(unseen)
        self.validate(unseen)
        self.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--stage', choices=STAGES, required=True)
    parser.add_argument('--minutes', type=float, required=True, help='in all, resumed time included')
    args = parser.parse_args()
    checkpoint.write_pid()
    Trainer(args.stage, args.minutes).run()


if __name__ == '__main__':
    main()
