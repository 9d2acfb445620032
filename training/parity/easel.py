"""Easel's side of a case, through `parity.ts`, and what both sides share: weights, rounding, errors."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parent.parent.parent
PLAIN, COMPRESSED, WHOLE = 1e-5, 3e-5, 5e-5
DTYPES = {'F32': torch.float32, 'F16': torch.float16, 'BF16': torch.bfloat16}


@dataclass
class Row:
    network: str
    configuration: str
    files: str
    inputs: str
    error: float
    bound: float


class Easel:
    """The engine behind `parity.ts`, one process for all cases."""

    def __init__(self, folder: Path):
        self.folder, self.count = folder, 0
        self.process = subprocess.Popen(
            ['npx', 'tsx', 'training/parity.ts'], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def file(self, tensor: torch.Tensor) -> str:
        self.count += 1
        path = self.folder / f'{self.count}.f32'
        path.write_bytes(tensor.detach().float().contiguous().numpy().astype('<f4').tobytes())
        return str(path)

    def run(self, **job) -> tuple[list[np.ndarray], dict]:
        out = str(self.folder / 'out.f32')
        self.process.stdin.write(json.dumps({**job, 'out': out}) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {'error': 'it ended'}
        if 'error' in answer:
            raise RuntimeError(f"{job['kind']}: {answer['error']}")
        values = np.fromfile(out, '<f4')
        return np.split(values, np.cumsum(answer['counts'])[:-1]), answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def relative_error(got: np.ndarray, want: torch.Tensor) -> float:
    reference = want.detach().double().numpy().ravel()
    if got.size != reference.size:
        raise ValueError(f'Expected {reference.size} numbers, but got {got.size}')
    return float(np.linalg.norm(got.astype(np.float64) - reference) / np.linalg.norm(reference))


def fill(model: torch.nn.Module, generator: torch.Generator, gain: float = 1.0) -> torch.nn.Module:
    """Weights large enough that every op matters: unit gain per layer, biases and norms away from 0 and 1."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if 'scale_shift_table' in name:
                parameter.copy_(0.3 * noise)
            elif parameter.dim() == 1:
                parameter.copy_((1.0 if name.endswith('weight') else 0.0) + 0.1 * noise)
            elif 'shared' in name or 'relative_attention_bias' in name or 'embed_tokens' in name:
                parameter.copy_(noise)
            else:
                fan_in = parameter[0].numel()
                parameter.copy_(gain * noise / fan_in**0.5)
    return model.eval()


def rounded(model: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """What a file of this dtype holds, to be computed with in float32, as Easel does."""
    return model.to(dtype).float()
