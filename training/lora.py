"""Low-rank adapters (Hu et al. 2021) on the transformer's matrices, named as diffusers and PEFT name them."""

import torch
from torch import Tensor, nn

RANK = 32
TARGETS = ('to_q', 'to_k', 'to_v', 'to_out.0', 'ff.net.0.proj', 'ff.net.2', 'proj_out', 'adaln_single.linear')


class LoraLinear(nn.Module):
    def __init__(self, base: nn.Linear, rank: int = RANK):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_A = nn.Linear(base.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        nn.init.normal_(self.lora_A.weight, std=base.in_features**-0.5)
        nn.init.zeros_(self.lora_B.weight)

    @property
    def weight(self) -> Tensor:
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.lora_B(self.lora_A(x))


def add_adapters(model: nn.Module) -> nn.Module:
    """Freeze the model and put an adapter on every target."""
    model.requires_grad_(False)
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.endswith(TARGETS):
            parent, _, last = name.rpartition('.')
            setattr(model.get_submodule(parent), last, LoraLinear(module))
    return model


def adapters_of(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if 'lora_' in name}


def peft_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As `pytorch_lora_weights.safetensors` holds them: the scale is 1, so there are no alphas."""
    return {f'transformer.{name}': tensor.half().contiguous() for name, tensor in state.items()}


@torch.no_grad()
def merged(model: nn.Module) -> dict[str, Tensor]:
    """The weights of the plain model with the adapters added in."""
    state = {name.replace('.base.', '.'): tensor.clone() for name, tensor in model.state_dict().items() if 'lora_' not in name}
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            state[f'{name}.weight'] += module.lora_B.weight @ module.lora_A.weight
    return state
