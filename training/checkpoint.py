"""Checkpoints that survive the process: written aside, then moved into place."""

import os
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

RUNS = Path(__file__).parent / 'runs'
MODEL = Path(__file__).parent.parent / 'models' / 'easel-mini'
PID = RUNS / 'trainer.pid'
CORES = len(os.sched_getaffinity(0))


def save(path: Path, state: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix('.part')
    torch.save(state, aside)
    os.replace(aside, path)


def load(path: Path) -> dict | None:
    return torch.load(path, map_location='cpu', weights_only=False) if path.exists() else None


def read_folder(folder: Path) -> dict[str, Tensor]:
    """The tensors of an exported network, in single precision."""
    return {name: tensor.float() for file in sorted(folder.glob('*.safetensors')) for name, tensor in load_file(file).items()}


def write_pid():
    """Lets other commands stop the trainer (SIGSTOP) while they measure, and continue it (SIGCONT)."""
    PID.parent.mkdir(parents=True, exist_ok=True)
    PID.write_text(f'{os.getpid()}\n')


class Clock:
    """Minutes of computing on all cores so far, over all the processes that shared a checkpoint.

    It counts processor time, so it stands still while the process is stopped or other work takes the cores.
    """

    def __init__(self, before: float = 0.0):
        self.before, self.saved = before, time.monotonic()

    def minutes(self) -> float:
        return self.before + time.process_time() / 60 / CORES

    def time_to_save(self, every: float = 3.0) -> bool:
        """Every so many minutes of the day, however slowly training goes."""
        if time.monotonic() - self.saved < 60 * every:
            return False
        self.saved = time.monotonic()
        return True
