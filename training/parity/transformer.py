"""Cases of the transformer: plain, with micro conditions, with compressed keys and values, from both key layouts."""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import PixArtTransformer2DModel
from safetensors.torch import save_file

from .easel import COMPRESSED, DTYPES, PLAIN, Row, fill, relative_error, rounded


class CompressedSelfAttention:
    """Key/value token compression after the paper (arXiv 2403.04692, section 3.2); diffusers has none.

    softmax(Q·f(K)ᵀ/√d)·f(V), f on the full width before the split into heads: a strided depthwise convolution and a
    LayerNorm that K and V share, or a choice of tokens.
    """

    def __init__(self, sampling: str, factor: int, grid: tuple[int, int], conv=None, norm=None):
        self.sampling, self.factor, self.grid, self.conv, self.norm = sampling, factor, grid, conv, norm

    def compress(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, _, width = tokens.shape
        if self.sampling == 'uniform_every':
            return tokens[:, :: self.factor]
        image = tokens.transpose(1, 2).reshape(batch, width, *self.grid)
        if self.sampling == 'conv':
            return self.norm(self.conv(image).flatten(2).transpose(1, 2))
        return image[:, :, :: self.factor, :: self.factor].flatten(2).transpose(1, 2)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        batch, count, width = hidden_states.shape
        heads = lambda x: x.view(batch, -1, attn.heads, width // attn.heads).transpose(1, 2)
        q = heads(attn.to_q(hidden_states))
        k, v = (heads(self.compress(project(hidden_states))) for project in (attn.to_k, attn.to_v))
        mixed = torch.softmax(q @ k.transpose(-1, -2) * (width // attn.heads) ** -0.5, -1) @ v
        return attn.to_out[0](mixed.transpose(1, 2).reshape(batch, count, width))


def make_transformer(generator, *, layers, heads, head_dim, caption, sample_size, interpolation, micro=False):
    model = PixArtTransformer2DModel(
        num_attention_heads=heads, attention_head_dim=head_dim, in_channels=4, out_channels=8, num_layers=layers,
        cross_attention_dim=heads * head_dim, caption_channels=caption, sample_size=sample_size,
        interpolation_scale=interpolation, use_additional_conditions=micro, norm_num_groups=1,
    )
    return fill(model, generator)


def compressors(generator, model, sampling, factor, layers):
    width, parts = model.config.num_attention_heads * model.config.attention_head_dim, {}
    for layer in layers if sampling == 'conv' else ():
        conv = torch.nn.Conv2d(width, width, factor, factor, groups=width)
        norm = torch.nn.LayerNorm(width, eps=1e-5)
        with torch.no_grad():
            conv.weight.copy_(1 / factor**2 + 0.3 * torch.randn(conv.weight.shape, generator=generator))
            conv.bias.copy_(0.1 * torch.randn(width, generator=generator))
            norm.weight.copy_(1 + 0.1 * torch.randn(width, generator=generator))
            norm.bias.copy_(0.1 * torch.randn(width, generator=generator))
        parts[layer] = (conv, norm)
    return parts


def set_compression(model, sampling, factor, layers, grid, parts):
    for layer in layers:
        attention = model.transformer_blocks[layer].attn1
        attention.set_processor(CompressedSelfAttention(sampling, factor, grid, *parts.get(layer, (None, None))))


def original_keys(state: dict) -> dict:
    """The names and the packed projections of PixArt's own checkpoints."""
    renamed, packed = {}, {}
    rules = [
        ('pos_embed.proj', 'x_embedder.proj'), ('caption_projection.linear_', 'y_embedder.y_proj.fc'),
        ('adaln_single.emb.timestep_embedder.linear_1', 't_embedder.mlp.0'),
        ('adaln_single.emb.timestep_embedder.linear_2', 't_embedder.mlp.2'), ('adaln_single.linear', 't_block.1'),
        ('transformer_blocks.', 'blocks.'), ('.attn1.to_out.0', '.attn.proj'), ('.attn2.to_out.0', '.cross_attn.proj'),
        ('.attn2.to_q', '.cross_attn.q_linear'), ('.ff.net.0.proj', '.mlp.fc1'), ('.ff.net.2', '.mlp.fc2'),
        ('.attn1.sr', '.attn.sr'), ('.attn1.norm', '.attn.norm'), ('proj_out', 'final_layer.linear'),
    ]
    for key, value in state.items():
        name = 'final_layer.scale_shift_table' if key == 'scale_shift_table' else key
        for old, new in rules:
            name = name.replace(old, new)
        for part, whole in (('.attn1.to_q', '.attn.qkv'), ('.attn1.to_k', '.attn.qkv'), ('.attn1.to_v', '.attn.qkv'),
                            ('.attn2.to_k', '.cross_attn.kv_linear'), ('.attn2.to_v', '.cross_attn.kv_linear')):
            if part in name:
                packed.setdefault(name.replace(part, whole), {})[part[-1]] = value
                break
        else:
            renamed[name] = value
    return renamed | {name: torch.cat([parts[p] for p in 'qkv' if p in parts]) for name, parts in packed.items()}


def save_transformer(model, folder: Path, dtype, compression=None, parts=None, original=False):
    folder.mkdir(parents=True, exist_ok=True)
    config = {k: v for k, v in model.config.items() if not k.startswith('_') or k == '_class_name'}
    config['_class_name'] = 'PixArtTransformer2DModel'
    state = {k: v for k, v in model.state_dict().items()}
    if compression:
        sampling, factor, layers = compression
        config['kv_compress_config'] = {'sampling': sampling, 'scale_factor': factor, 'kv_compress_layer': list(layers)}
        for layer, (conv, norm) in (parts or {}).items():
            prefix = f'transformer_blocks.{layer}.attn1'
            state |= {f'{prefix}.sr.{k}': v for k, v in conv.state_dict().items()}
            state |= {f'{prefix}.norm.{k}': v for k, v in norm.state_dict().items()}
    state = original_keys(state) if original else state
    save_file({k: v.to(dtype).contiguous() for k, v in state.items()}, folder / 'diffusion_pytorch_model.safetensors')
    (folder / 'config.json').write_text(json.dumps(config))


def transformer_case(easel, rng, generator, folder, *, files='F32', compression=None, original=False, micro=False, **shape):
    dtype, batch = DTYPES[files], shape.pop('batch')
    height, width = shape.pop('latent')
    model = make_transformer(generator, micro=micro, **shape)
    parts = compressors(generator, model, *compression) if compression else {}
    save_transformer(model, folder, dtype, compression, parts, original)
    rounded(model, dtype)
    for conv, norm in parts.values():
        rounded(conv, dtype), rounded(norm, dtype)
    if compression:
        set_compression(model, *compression, (height // 2, width // 2), parts)

    latents = torch.randn(batch, 4, height, width, generator=generator)
    padded = 24
    caption = torch.randn(batch, padded, shape['caption'], generator=generator)
    counts = [rng.choice([1, 2, 7, 19, padded]) for _ in range(batch)]
    mask = torch.stack([(torch.arange(padded) < n).float() for n in counts])
    timesteps = [rng.randrange(1000) for _ in range(batch)]
    extra = {'resolution': None, 'aspect_ratio': None}
    if micro:
        size = torch.tensor([[8.0 * height, 8.0 * width]] * batch)
        extra = {'resolution': size, 'aspect_ratio': torch.full((batch, 1), height / width)}
    with torch.no_grad():
        want = model(latents, caption, torch.tensor(timesteps), added_cond_kwargs=extra, encoder_attention_mask=mask).sample
    got, _ = easel.run(
        kind='transformer', folder=str(folder), latents=easel.file(latents), height=height, width=width, timesteps=timesteps,
        captions=[{'file': easel.file(caption[i, :n]), 'tokens': n} for i, n in enumerate(counts)],
    )
    notes = f"{shape['layers']} layers, {shape['heads']} × {shape['head_dim']}, pe {shape['interpolation']:g}"
    notes += ', own key names' if original else ''
    notes += ', micro-conditions' if micro else ''
    if compression:
        notes += f', {compression[0]} R={compression[1]} in {list(compression[2])}'
    return Row('transformer', notes, files, f'{batch} × {height}×{width} latents, {counts} tokens',
               relative_error(np.concatenate(got), want[:, :4]), COMPRESSED if compression else PLAIN)
