"""The training loop of the transformer and its text encoder: one stage, from a checkpoint or from given weights."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Callable

import torch
from torch import Tensor

from . import checkpoint
from .checkpoint import CORES
from .latents import Batch, Latents
from .muon import Muon
from .objective import Model, loss, validate
from .stages import Stage
from .twins import Twins

WARM_UP, DECAY = 60, 0.3  # steps; share of the training at whose end the rate has fallen to 3 %
LONGEST_AVERAGE = 0.998
SAVE_EVERY, VALIDATE_EVERY, LOG_EVERY = 3.0, 4.0, 50  # minutes, minutes, steps


@dataclass(frozen=True)
class Limit:
    """When training ends, resumed parts included."""

    minutes: float = float('inf')
    samples: float = float('inf')

    def done(self, minutes: float, samples: int) -> float:
        return min(max(minutes / self.minutes, samples / self.samples), 1)


def is_hidden_matrix(name: str, tensor: Tensor) -> bool:
    return tensor.ndim == 2 and ('transformer_blocks' in name or 'encoder.block' in name) and name.endswith('.weight') and 'relative' not in name


class Trainer:
    """A bf16 copy computes; masters, optimiser and moving average are fp32."""

    def __init__(self, stage: Stage, file: Path, limit: Limit, prepare: Callable[[Model], None]):
        """`prepare` gives a fresh model its shape, and, where there is no checkpoint, its first weights."""
        self.stage, self.file, self.limit = stage, file, limit
        self.model, self.averaged = Model(), Model()
        state = checkpoint.load(file)
        prepare(self.model)
        prepare(self.averaged)
        if state:
            self.model.load_state_dict(state['model'])
        self.masters = [p.detach().clone() for p in self.model.parameters()]
        self.names = [name for name, _ in self.model.named_parameters()]
        self.ema = [state['ema'][name].clone() for name in self.names] if state else [m.clone() for m in self.masters]
        matrices = [m for m, name in zip(self.masters, self.names) if is_hidden_matrix(name, m)]
        others = [m for m, name in zip(self.masters, self.names) if not is_hidden_matrix(name, m)]
        self.optimizers = (
            *(Muon(matrices[i::CORES], lr=stage.rate, iterations=4) for i in range(CORES)),
            torch.optim.AdamW(others, lr=stage.adam_rate, betas=(0.9, 0.98), weight_decay=0, fused=True),
        )
        for optimizer, saved in zip(self.optimizers, state['optimizers'] if state else ()):
            optimizer.load_state_dict(saved)
        self.model.to(torch.bfloat16)
        self.averaged.to(torch.bfloat16)  # holds the moving average to validate
        self.twins = Twins(self.model)
        self.step, self.samples, self.history = (state[k] for k in ('step', 'samples', 'history')) if state else (0, 0, [])
        self.clock = checkpoint.Clock(state['minutes'] if state else 0.0)

    def save(self):
        named = lambda values: dict(zip(self.names, values))
        checkpoint.save(self.file, {
            'model': named(self.masters), 'ema': named(self.ema), 'optimizers': [o.state_dict() for o in self.optimizers], 'step': self.step,
            'samples': self.samples, 'minutes': self.clock.minutes(), 'history': self.history, 'compressed': self.stage.compressed,
        })  # fmt: skip

    def done(self) -> float:
        return self.limit.done(self.clock.minutes(), self.samples)

    @torch.no_grad()
    def update(self):
        self.twins.collect(self.masters)
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        pace = min(1, (self.step + 1) / WARM_UP) * min(1, 0.03 + (1 - self.done()) / DECAY)
        for optimizer in self.optimizers:
            optimizer.param_groups[0]['lr'] = pace * (self.stage.rate if isinstance(optimizer, Muon) else self.stage.adam_rate)
        self.twins.map(lambda optimizer: optimizer.step(), self.optimizers)
        self.step += 1
        self.samples += self.stage.batch
        torch._foreach_lerp_(self.ema, self.masters, 1 - min(LONGEST_AVERAGE, (1 + self.step) / (10 + self.step)))
        torch._foreach_copy_(list(self.model.parameters()), self.masters)

    @torch.no_grad()
    def validate(self, batch: Batch):
        torch._foreach_copy_(list(self.averaged.parameters()), self.ema)
        mse = validate(self.averaged, batch)
        self.history.append({'minutes': self.clock.minutes(), 'samples': self.samples, 'validation': mse})
        print(f'{self.clock.minutes():6.1f} min  {self.samples} samples  validation {mse:.4f}', flush=True)

    def run(self, validate_every_samples: float = float('inf'), rng: Random | None = None):
        latents, unseen = Latents(self.stage.pixels, rng=rng), Latents(self.stage.pixels, validation=True).fixed(128)
        self.validate(unseen)
        means = None
        next_minutes, next_samples = self.clock.minutes() + VALIDATE_EVERY, self.samples + validate_every_samples
        while self.done() < 1:
            values = self.twins.backward(loss, [latents.batch(self.stage.batch // CORES) for _ in range(CORES)])
            self.update()
            means = [0.98 * mean + 0.02 * value for mean, value in zip(means or values, values)]
            if self.step % LOG_EVERY == 0:
                log = '  '.join(f'{name} {mean:.4f}' for name, mean in zip(('mse', 'labels', 'words'), means))
                print(f'{self.clock.minutes():6.1f} min  step {self.step}  samples {self.samples}  {log}', flush=True)
            if self.clock.time_to_save(SAVE_EVERY):
                self.save()
            if self.samples >= next_samples or (self.clock.minutes() > next_minutes and validate_every_samples == float('inf')):
                next_minutes, next_samples = self.clock.minutes() + VALIDATE_EVERY, self.samples + validate_every_samples
                self.validate(unseen)
        self.validate(unseen)
        self.save()
