"""Muon (Jordan 2024), with the step size matched to Adam's (Liu et al. 2025): orthogonalised momentum for matrices."""

import torch
from torch import Tensor


def orthogonalise(matrices: Tensor, iterations: int) -> Tensor:
    """Newton-Schulz towards the nearest orthogonal matrices, (N, rows, columns), in bf16."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16()
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).float()


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr: float, momentum: float = 0.95, iterations: int = 5):
        super().__init__(params, {'lr': lr, 'momentum': momentum})
        self.iterations = iterations

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape: dict[torch.Size, list] = {}
            for p in group['params']:
                if p.grad is not None:
                    by_shape.setdefault(p.flatten(1).shape, []).append(p)
            for shape, params in by_shape.items():
                updates = []
                for p in params:
                    if not self.state[p]:
                        self.state[p]['momentum'] = torch.zeros_like(p)
                    momentum = self.state[p]['momentum'].lerp_(p.grad, 1 - group['momentum'])
                    updates.append(p.grad.lerp(momentum, group['momentum']).flatten(1))
                scale = 0.2 * max(shape) ** 0.5
                for p, update in zip(params, orthogonalise(torch.stack(updates), self.iterations)):
                    p.add_(update.view_as(p), alpha=-group['lr'] * scale)
