"""One step of training on every core at once, each with its own part of the batch.

The cores wait for each other once a step, not once an operation: twice as fast where the machine has other work to do.
"""

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterable

import torch
from torch import Tensor, nn

from .checkpoint import CORES


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


class Twins:
    """Copies of a model that share its parameters and have gradients of their own."""

    def __init__(self, model: nn.Module):
        self.models = [model, *(copy.deepcopy(model) for _ in range(CORES - 1))]
        for twin in self.models[1:]:
            for parameter, shared in zip(twin.parameters(), model.parameters()):
                parameter.data = shared.data
        torch.set_num_threads(1)
        self.pool = ThreadPoolExecutor(CORES, initializer=lambda: torch.set_num_threads(1))

    def backward(self, loss: Callable[[nn.Module, object], tuple[Tensor, ...]], parts: Iterable) -> list[float]:
        """Differentiate the first value of `loss` on each part; the means of the others."""

        def one(model: nn.Module, part) -> list[float]:
            total, *others = loss(model, part)
            total.backward()
            return [other.item() for other in others]

        results = list(self.pool.map(one, self.models, parts))
        return [sum(values) / len(values) for values in zip(*results)]

    @torch.no_grad()
    def collect(self, masters: Iterable[Tensor]):
        """Put the mean of the gradients of what is trained into the masters, in their precision, and clear it here."""
        for master, *parameters in zip(masters, *map(trained, self.models), strict=True):
            gradient = sum(parameter.grad.to(master.dtype) for parameter in parameters) / len(parameters)
            for parameter in parameters:
                parameter.grad = None
            master.grad = gradient

    def map(self, function: Callable, values: Iterable) -> list:
        return list(self.pool.map(function, values))
