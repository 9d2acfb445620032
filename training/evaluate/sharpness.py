"""How crisp pictures are, and how far their distribution lies from that of renderings."""

import torch
from torch import Tensor


def gradient_energy(pixels: Tensor) -> float:
    """Mean squared difference of neighbouring pixels, of (B, 3, H, W)."""
    across, down = pixels.diff(dim=3), pixels.diff(dim=2)
    return (across.square().mean() + down.square().mean()).item()


def root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Between the Gaussians fitted to two sets of features, (N, D) each (Dowson and Landau 1982)."""
    a, b = a.double(), b.double()
    first, second = torch.cov(a.T), torch.cov(b.T)
    both = root(root(first) @ second @ root(first))
    return ((a.mean(0) - b.mean(0)).square().sum() + first.trace() + second.trace() - 2 * both.trace()).item()
