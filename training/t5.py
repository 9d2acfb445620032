"""T5 v1.1 encoder. Module names are the official key names."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .tokenizer import ROWS

CONFIG = {
    'architectures': ['T5EncoderModel'],
    'model_type': 't5',
    'd_ff': 512,
    'd_kv': 32,
    'd_model': 192,
    'dense_act_fn': 'gelu_new',
    'dropout_rate': 0.0,
    'eos_token_id': 1,
    'feed_forward_proj': 'gated-gelu',
    'initializer_factor': 1.0,
    'is_encoder_decoder': True,
    'is_gated_act': True,
    'layer_norm_epsilon': 1e-6,
    'num_heads': 6,
    'num_layers': 3,
    'pad_token_id': 0,
    'relative_attention_max_distance': 128,
    'relative_attention_num_buckets': 32,
    'tie_word_embeddings': False,
    'torch_dtype': 'float16',
    'vocab_size': ROWS,
}
WIDTH, HEADS, HEAD, HIDDEN = CONFIG['d_model'], CONFIG['num_heads'], CONFIG['d_kv'], CONFIG['d_ff']


class RmsNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        variance = x.float().square().mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(variance + 1e-6)).to(x.dtype)


def linear(inputs: int, outputs: int, std: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=std)
    return layer


def buckets(length: int) -> Tensor:
    """Bucket of key - query, (length, length): exact below 8, then logarithmic to 128, 16 for each direction."""
    relative = torch.arange(length)[None, :] - torch.arange(length)[:, None]
    distance = relative.abs()
    far = 8 + (torch.log(distance.clamp(min=1) / 8) / torch.log(torch.tensor(16.0)) * 8).long()
    return torch.where(distance < 8, distance, far.clamp(max=15)) + 16 * (relative > 0)


class SelfAttention(nn.Module):
    def __init__(self, first: bool):
        super().__init__()
        inner = HEADS * HEAD
        self.q = linear(WIDTH, inner, (WIDTH * HEAD) ** -0.5)
        self.k, self.v = (linear(WIDTH, inner, WIDTH**-0.5) for _ in range(2))
        self.o = linear(inner, WIDTH, inner**-0.5)
        if first:
            self.relative_attention_bias = nn.Embedding(32, HEADS)
            nn.init.normal_(self.relative_attention_bias.weight, std=WIDTH**-0.5)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (p(x).unflatten(-1, (HEADS, HEAD)).transpose(1, 2) for p in (self.q, self.k, self.v))
        out = (q @ k.mT + bias).softmax(-1) @ v  # T5 does not scale
        return self.o(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.wi_0, self.wi_1 = (linear(WIDTH, HIDDEN, WIDTH**-0.5) for _ in range(2))
        self.wo = linear(HIDDEN, WIDTH, HIDDEN**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(F.gelu(self.wi_0(x), approximate='tanh') * self.wi_1(x))


def sublayer(name: str, module: nn.Module) -> nn.Module:
    layer = nn.Module()
    setattr(layer, name, module)
    layer.layer_norm = RmsNorm()
    return layer


class Block(nn.Module):
    def __init__(self, first: bool):
        super().__init__()
        self.layer = nn.ModuleList(
            [sublayer('SelfAttention', SelfAttention(first)), sublayer('DenseReluDense', FeedForward())]
        )

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        attention, feed_forward = self.layer
        x = x + attention.SelfAttention(attention.layer_norm(x), bias)
        return x + feed_forward.DenseReluDense(feed_forward.layer_norm(x))


class T5(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Embedding(ROWS, WIDTH)
        self.encoder = nn.Module()
        self.encoder.block = nn.ModuleList([Block(i == 0) for i in range(CONFIG['num_layers'])])
        self.encoder.final_layer_norm = RmsNorm()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, S) ids and their mask, true where a token stands, to (B, S, width)."""
        x = self.shared(ids)
        table = self.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
        bias = table(buckets(ids.shape[1])).permute(2, 0, 1)[None]  # (1, heads, S, S)
        bias = bias.masked_fill(~mask[:, None, None, :], -30_000.0)
        for block in self.encoder.block:
            x = block(x, bias)
        return self.encoder.final_layer_norm(x)
