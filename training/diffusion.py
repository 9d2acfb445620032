"""The noise schedule, the training target's weight, and DPM-Solver++(2M) as in Lu et al. 2022, algorithm 2."""

from typing import Callable

import numpy as np
import torch
from torch import Tensor

STEPS = 1000
HIGHEST_WEIGHT = 50
BETAS = torch.linspace(1e-4, 0.02, STEPS)
ALPHAS = torch.cumprod(1 - BETAS.double(), 0).float()  # alpha-bar
SCHEDULER_CONFIG = {
    '_class_name': 'DPMSolverMultistepScheduler',
    'algorithm_type': 'dpmsolver++',
    'beta_end': 0.02,
    'beta_schedule': 'linear',
    'beta_start': 0.0001,
    'dynamic_thresholding_ratio': 0.995,
    'euler_at_final': False,
    'final_sigmas_type': 'zero',
    'lower_order_final': True,
    'num_train_timesteps': STEPS,
    'prediction_type': 'epsilon',
    'sample_max_value': 1.0,
    'solver_order': 2,
    'solver_type': 'midpoint',
    'steps_offset': 0,
    'thresholding': False,
    'timestep_spacing': 'linspace',
    'use_karras_sigmas': False,
    'variance_type': None,
}


def add_noise(latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    alpha = ALPHAS[timesteps].view(-1, 1, 1, 1)
    return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise


def loss_weight(timesteps: Tensor) -> Tensor:
    """Min-SNR with gamma 5 for the velocity (Hang et al. 2023), bounded: 146 at timestep 700, it would be 24,778 at the last.

    A low bound would leave out the timesteps at which the layout is decided: their error of the noise is small.
    """
    snr = ALPHAS[timesteps] / (1 - ALPHAS[timesteps])
    return ((snr + 1).clamp(max=5) / snr).clamp(max=HIGHEST_WEIGHT)


def stratified_timesteps(count: int) -> Tensor:
    return ((torch.randperm(count) + torch.rand(count)) * STEPS / count).long().clamp(max=STEPS - 1)


def timesteps(steps: int) -> list[int]:
    return [int(t) for t in np.linspace(0, STEPS - 1, steps + 1).round()[::-1][:-1]]  # half to even


@torch.no_grad()
def dpmpp2m(denoise: Callable[[Tensor, int], Tensor], noise: Tensor, steps: int = 20) -> Tensor:
    """`denoise` gives the noise in (latents, t). Symbols as in the paper: x = alpha x0 + sigma eps, lambda = log(alpha / sigma)."""
    times = timesteps(steps)
    alphas = [ALPHAS[t].double().sqrt().item() for t in times] + [1.0]
    sigmas = [(1 - ALPHAS[t].double()).sqrt().item() for t in times] + [0.0]
    x, previous, previous_h = noise, None, 0.0
    for i, t in enumerate(times):
        x0 = (x - sigmas[i] * denoise(x, t)) / alphas[i]
        if i == steps - 1:
            return x0
        h = np.log(alphas[i + 1] / sigmas[i + 1]) - np.log(alphas[i] / sigmas[i])
        d = x0 if previous is None else x0 + (h / previous_h) * (x0 - previous) / 2
        x = sigmas[i + 1] / sigmas[i] * x - alphas[i + 1] * np.expm1(-h) * d
        previous, previous_h = x0, h
    return x


@torch.no_grad()
def lcm(denoise: Callable[[Tensor, int], Tensor], noise: Tensor, steps: int = 4) -> Tensor:
    """Multistep consistency sampling (Luo et al. 2023, algorithm 3), at the timesteps of diffusers' LCMScheduler."""
    original = [20 * (i + 1) - 1 for i in range(50)][::-1]
    times = [original[i * 50 // steps] for i in range(steps)]
    x = noise
    for i, t in enumerate(times):
        alpha, scaled = ALPHAS[t], 10.0 * t
        x0 = (x - (1 - alpha).sqrt() * denoise(x, t)) / alpha.sqrt()
        x = (0.25 * x + scaled * (scaled**2 + 0.25) ** 0.5 * x0) / (scaled**2 + 0.25)
        if i < steps - 1:
            after = ALPHAS[times[i + 1]]
            x = after.sqrt() * x + (1 - after).sqrt() * torch.randn_like(x)
    return x
