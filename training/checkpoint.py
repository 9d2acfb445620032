"""Checkpoints that survive the process: written aside, then moved into place."""

import os
import time
from pathlib import Path

import torch

RUNS = Path(__file__).parent / 'runs'


def save(path: Path, state: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix('.part')
    torch.save(state, aside)
    os.replace(aside, path)


def load(path: Path) -> dict | None:
    return torch.load(path, map_location='cpu', weights_only=False) if path.exists() else None


class Clock:
    """Minutes of training so far, over all the processes that shared a checkpoint."""

    def __init__(self, before: float = 0.0):
        self.before, self.start = before, time.monotonic()
        self.saved = self.start

    def minutes(self) -> float:
        return self.before + (time.monotonic() - self.start) / 60

    def time_to_save(self, every: float = 3.0) -> bool:
        if time.monotonic() - self.saved < 60 * every:
            return False
        self.saved = time.monotonic()
        return True
