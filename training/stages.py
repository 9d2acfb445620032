"""The stages from weak to strong, and where their checkpoints lie."""

from dataclasses import dataclass
from pathlib import Path

from . import checkpoint

EXPORTED = checkpoint.RUNS / 'exported.pt'  # written by training.restore
TEXT = checkpoint.RUNS / 'text.pt'  # written by training.train_text
FEW_STEPS = checkpoint.RUNS / 'few-steps.pt'  # written by training.train_few_steps


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


def path(stage: str) -> Path:
    return checkpoint.RUNS / f'{stage}.pt'
