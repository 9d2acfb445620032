"""Cases of the text encoder and of the VAE."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import T5Config, T5EncoderModel

from .easel import DTYPES, PLAIN, Row, fill, relative_error


def make_t5(generator, *, layers, heads, d_kv, width, hidden, vocabulary=600, buckets=32, distance=128):
    config = T5Config(
        vocab_size=vocabulary, d_model=width, d_kv=d_kv, d_ff=hidden, num_layers=layers, num_heads=heads,
        feed_forward_proj='gated-gelu', relative_attention_num_buckets=buckets, relative_attention_max_distance=distance,
        dropout_rate=0.0, tie_word_embeddings=False,
    )
    model = fill(T5EncoderModel(config), generator)
    with torch.no_grad():  # T5 has no 1/√d: keep the scores of a size that softmax can tell apart
        for name, parameter in model.named_parameters():
            if name.endswith('SelfAttention.q.weight'):
                parameter.mul_(d_kv**-0.5)
    return model


def save_t5(model, folder: Path, dtype, shard: str):
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    model.float()


def t5_case(easel, rng, generator, folder, *, files='F32', shard='5GB', batch=1, **shape):
    model = make_t5(generator, **shape)
    save_t5(model, folder, DTYPES[files], shard)
    shards = len(list(folder.glob('*.safetensors')))
    counts = [rng.randrange(1, 150) for _ in range(batch)]
    ids = [[rng.randrange(3, 600) for _ in range(n - 1)] + [1] for n in counts]
    padded = max(counts) + 8
    table = torch.tensor([own + [0] * (padded - len(own)) for own in ids])
    mask = torch.stack([(torch.arange(padded) < n).long() for n in counts])
    with torch.no_grad():
        states = model(table, attention_mask=mask).last_hidden_state
    want = torch.cat([states[i, :n] for i, n in enumerate(counts)])
    got, _ = easel.run(kind='t5', folder=str(folder), ids=ids)
    notes = f"{shape['layers']} layers, {shape['heads']} × {shape['d_kv']}, width {shape['width']}, {shape.get('buckets', 32)} buckets"
    return Row('T5', notes, f'{files}, {shards} file{"s" if shards > 1 else ""}', f'{batch} prompts of {counts} tokens',
               relative_error(np.concatenate(got), want), PLAIN)


def make_vae(generator, *, channels, layers, groups, sample_size):
    return fill(AutoencoderKL(
        block_out_channels=channels, layers_per_block=layers, norm_num_groups=groups, sample_size=sample_size,
        down_block_types=['DownEncoderBlock2D'] * len(channels), up_block_types=['UpDecoderBlock2D'] * len(channels),
        latent_channels=4, scaling_factor=0.13025,
    ), generator)


def save_vae(model, folder: Path, dtype):
    model.to(dtype).save_pretrained(folder)
    model.float()


def vae_cases(easel, _rng, generator, folder, *, files='F32', latent, **shape):
    model = make_vae(generator, **shape)
    save_vae(model, folder, DTYPES[files])
    model.enable_tiling()
    height, width = latent
    latents = torch.randn(1, 4, height, width, generator=generator)
    pixels = torch.rand(1, 3, 8 * height, 8 * width, generator=generator) * 2 - 1
    with torch.no_grad():
        decoded = model.decode(latents / 0.13025).sample
        posterior = model.encode(pixels).latent_dist
    notes = f"{list(shape['channels'])}, {shape['layers']} per block, {shape['groups']} groups"
    tiled = max(latent) * 8 > shape['sample_size']
    note = f'{height}×{width} latents' + (', in tiles' if tiled else '')
    got, _ = easel.run(kind='decode', folder=str(folder), input=easel.file(latents), height=height, width=width)
    yield Row('VAE decoder', notes, files, note, relative_error(got[0], decoded), PLAIN)
    got, _ = easel.run(kind='encode', folder=str(folder), input=easel.file(pixels), height=8 * height, width=8 * width)
    both = torch.cat([posterior.mean.ravel(), posterior.logvar.ravel()])
    yield Row('VAE encoder', notes, files, note, relative_error(np.concatenate(got), both), PLAIN)
