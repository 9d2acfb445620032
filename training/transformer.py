"""PixArt-Sigma's transformer. Module names are the diffusers key names; compression adds attn1.sr and attn1.norm."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .t5 import WIDTH as CAPTION_WIDTH

DEPTH, HEADS, HEAD = 10, 4, 64
WIDTH = HEADS * HEAD
SINUSOID = 256
CHANNELS, OUT_CHANNELS, PATCH = 4, 8, 2
POSITION_SPAN = 32.0  # every axis spans [0, 32), whatever its number of cells
COMPRESSED = tuple(range(DEPTH // 2, DEPTH))  # the deep half
CONFIG = {
    '_class_name': 'PixArtTransformer2DModel',
    'activation_fn': 'gelu-approximate',
    'attention_bias': True,
    'attention_head_dim': HEAD,
    'attention_type': 'default',
    'caption_channels': CAPTION_WIDTH,
    'cross_attention_dim': WIDTH,
    'dropout': 0.0,
    'in_channels': CHANNELS,
    'interpolation_scale': 0.5,
    'norm_elementwise_affine': False,
    'norm_eps': 1e-6,
    'norm_num_groups': 32,
    'norm_type': 'ada_norm_single',
    'num_attention_heads': HEADS,
    'num_embeds_ada_norm': 1000,
    'num_layers': DEPTH,
    'out_channels': OUT_CHANNELS,
    'patch_size': PATCH,
    'sample_size': 32,
    'upcast_attention': False,
    'use_additional_conditions': False,
}


@cache
def positions(rows: int, columns: int, span: float = POSITION_SPAN) -> Tensor:
    """(rows * columns, width): the column's half first, as in the original."""
    frequencies = 10_000 ** -(torch.arange(WIDTH // 4, dtype=torch.float64) / (WIDTH // 4))

    def axis(cells: int) -> Tensor:
        angles = (span * torch.arange(cells, dtype=torch.float64) / cells)[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    column, row = axis(columns)[None, :].expand(rows, -1, -1), axis(rows)[:, None].expand(-1, columns, -1)
    return torch.cat([column, row], dim=2).flatten(0, 1).float()


def sinusoid(timesteps: Tensor) -> Tensor:
    half = SINUSOID // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
    angles = timesteps.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return F.layer_norm(x, (WIDTH,), eps=1e-6) * (1 + scale) + shift


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """Written out: on a CPU, the fused operation's backward pass takes four times as long."""
    scores = q @ k.mT  # (B, heads, N, S)
    return (scores if bias is None else scores + bias).softmax(-1) @ v


class Attention(nn.Module):
    """Self attention, or attention to the caption."""

    def __init__(self, compressed: bool = False):
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(WIDTH, WIDTH)])
        if compressed:
            self.add_compression()

    def add_compression(self, averaging: bool = True):
        """Keys and values of 2 x 2 tokens become one; at first their average, or else a random mixture."""
        self.sr = nn.Conv2d(WIDTH, WIDTH, 2, stride=2, groups=WIDTH)
        if averaging:
            nn.init.constant_(self.sr.weight, 0.25)
            nn.init.zeros_(self.sr.bias)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-5)

    def compress(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        return self.norm(self.sr(x.transpose(1, 2).unflatten(2, grid)).flatten(2).transpose(1, 2))

    def forward(self, x: Tensor, source: Tensor, grid: tuple[int, int] | None = None, bias: Tensor | None = None) -> Tensor:
        q, k, v = self.to_q(x), self.to_k(source), self.to_v(source)
        if hasattr(self, 'sr'):
            k, v = self.compress(k, grid), self.compress(v, grid)
        q, k, v = (p.unflatten(-1, (HEADS, HEAD)).transpose(1, 2) for p in (q, k, v))
        return self.to_out[0](attend(q * HEAD**-0.5, k, v, bias).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        first = nn.Module()
        first.proj = nn.Linear(WIDTH, 4 * WIDTH)
        self.net = nn.ModuleList([first, nn.Identity(), nn.Linear(4 * WIDTH, WIDTH)])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](F.gelu(self.net[0].proj(x), approximate='tanh'))


class Block(nn.Module):
    def __init__(self, compressed: bool):
        super().__init__()
        self.attn1, self.attn2, self.ff = Attention(compressed), Attention(), FeedForward()
        self.scale_shift_table = nn.Parameter(torch.randn(6, WIDTH) / WIDTH**0.5)
        nn.init.zeros_(self.attn2.to_out[0].weight)

    def forward(self, x: Tensor, caption: Tensor, bias: Tensor, time: Tensor, grid: tuple[int, int]) -> Tensor:
        shift, scale, gate, ff_shift, ff_scale, ff_gate = (self.scale_shift_table + time).unsqueeze(2).unbind(1)  # (B, 1, D)
        h = modulate(x, shift, scale)
        x = x + gate * self.attn1(h, h, grid)
        x = x + self.attn2(x, caption, bias=bias)  # no norm, no modulation, no gate
        return x + ff_gate * self.ff(modulate(x, ff_shift, ff_scale))


def mlp(inputs: int, outputs: int) -> nn.Module:
    module = nn.Module()
    module.linear_1, module.linear_2 = nn.Linear(inputs, outputs), nn.Linear(outputs, outputs)
    return module


class Transformer(nn.Module):
    def __init__(self, compressed: bool = False):
        super().__init__()
        self.span = POSITION_SPAN
        self.pos_embed = nn.Module()
        self.pos_embed.proj = nn.Conv2d(CHANNELS, WIDTH, PATCH, stride=PATCH)
        self.adaln_single = nn.Module()
        self.adaln_single.emb = nn.Module()
        self.adaln_single.emb.timestep_embedder = mlp(SINUSOID, WIDTH)
        self.adaln_single.linear = nn.Linear(WIDTH, 6 * WIDTH)
        self.caption_projection = mlp(CAPTION_WIDTH, WIDTH)
        self.transformer_blocks = nn.ModuleList([Block(compressed and i in COMPRESSED) for i in range(DEPTH)])
        self.scale_shift_table = nn.Parameter(torch.randn(2, WIDTH) / WIDTH**0.5)
        self.proj_out = nn.Linear(WIDTH, PATCH * PATCH * OUT_CHANNELS)
        self._initialise()

    def _initialise(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                if module.weight.any():  # the outputs of attention to the caption stay zero
                    nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in (self.adaln_single.linear, *vars_of(self.adaln_single.emb.timestep_embedder), *vars_of(self.caption_projection)):
            nn.init.normal_(layer.weight, std=0.02)
        nn.init.zeros_(self.proj_out.weight)

    def add_compression(self, layers: tuple[int, ...] = COMPRESSED, averaging: bool = True):
        for i in layers:
            self.transformer_blocks[i].attn1.add_compression(averaging)

    def forward(self, latents: Tensor, timesteps: Tensor, caption: Tensor, mask: Tensor, tap: int | None = None):
        """(B, 4, h, w) to (B, 8, h, w): noise, then variance. With `tap`, also the tokens after so many blocks."""
        dtype = self.proj_out.weight.dtype
        x = self.pos_embed.proj(latents.to(dtype))
        grid = x.shape[2:]
        x = x.flatten(2).transpose(1, 2) + positions(*grid, self.span).to(dtype)  # (B, N, D)
        embedder = self.adaln_single.emb.timestep_embedder
        embedded = embedder.linear_2(F.silu(embedder.linear_1(sinusoid(timesteps).to(dtype))))  # (B, D)
        time = self.adaln_single.linear(F.silu(embedded)).unflatten(1, (6, WIDTH))
        project = self.caption_projection
        caption = project.linear_2(F.gelu(project.linear_1(caption.to(dtype)), approximate='tanh'))
        bias = torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, -10_000.0)[:, None, None, :]
        tapped = None
        for i, block in enumerate(self.transformer_blocks):
            x = block(x, caption, bias, time, grid)
            if i + 1 == tap:
                tapped = x
        shift, scale = (self.scale_shift_table + embedded[:, None]).unsqueeze(2).unbind(1)
        x = self.proj_out(modulate(x, shift, scale))  # (B, N, 2 * 2 * 8)
        x = x.unflatten(2, (PATCH, PATCH, OUT_CHANNELS)).unflatten(1, grid)
        out = x.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
        return (out, tapped) if tap else out


def vars_of(module: nn.Module) -> tuple[nn.Linear, nn.Linear]:
    return module.linear_1, module.linear_2
