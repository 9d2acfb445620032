"""Easel's networks and pipelines against the PyTorch reference (diffusers, transformers), on random configurations.

Every case makes weights, writes them as an official folder would have them, runs the reference in float32, runs the
same through `parity.ts` (the engine's own doors) and compares by relative L2 error. Exits with 1 if a bound is broken.

    python -m training.parity [--seed 1] [--out docs/parity.md]
"""

import argparse
import contextlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

warnings.filterwarnings('ignore')
os.environ.setdefault('DIFFUSERS_VERBOSITY', 'error')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
os.environ.setdefault('HF_HUB_OFFLINE', '1')

import diffusers
import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F
import transformers
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, LCMScheduler, PixArtSigmaPipeline, PixArtTransformer2DModel
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel, T5Tokenizer

ROOT = Path(__file__).parent.parent
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


# --- Transformer ------------------------------------------------------------------------------------------------


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


# --- T5 and VAE -------------------------------------------------------------------------------------------------


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


# --- Whole pipelines --------------------------------------------------------------------------------------------

WORDS = 'a the of in on red blue boat cat dog sea house tree happy small large photo painting at sunset with and night sky'.split()


def make_tokenizer(folder: Path, rng) -> T5Tokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder.parent / 'corpus.txt'
    corpus.write_text('\n'.join(' '.join(rng.choices(WORDS, k=8)) for _ in range(300)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / 'spiece'), vocab_size=120, hard_vocab_limit=False, model_type='unigram',
        normalization_rule_name='nmt_nfkc', pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )
    (folder / 'spiece.vocab').unlink()
    (folder / 'tokenizer_config.json').write_text(json.dumps({'tokenizer_class': 'T5Tokenizer', 'extra_ids': 100}))
    return T5Tokenizer.from_pretrained(folder)


def pipeline_case(easel, rng, generator, folder, *, files='F32', compression=None, sampler='DPMPP_2M', steps, scale, size,
                  prompt, negative='', clean=True):
    dtype, seed = DTYPES[files], rng.randrange(2**53)
    height, width = size
    tokenizer = make_tokenizer(folder / 'tokenizer', rng)
    t5 = make_t5(generator, layers=2, heads=4, d_kv=16, width=64, hidden=96)
    save_t5(t5, folder / 'text_encoder', dtype, '100KB')
    vae = make_vae(generator, channels=(16, 32, 32, 32), layers=1, groups=8, sample_size=512)
    save_vae(vae, folder / 'vae', dtype)
    model = make_transformer(generator, layers=3, heads=4, head_dim=24, caption=64, sample_size=32, interpolation=0.5)
    parts = compressors(generator, model, *compression) if compression else {}
    save_transformer(model, folder / 'transformer', dtype, compression, parts)
    rounded(model, dtype)
    for conv, norm in parts.values():
        rounded(conv, dtype), rounded(norm, dtype)
    if compression:
        set_compression(model, *compression, (height // 16, width // 16), parts)
    betas = {'beta_start': 0.0001, 'beta_end': 0.02, 'beta_schedule': 'linear'}
    scheduler = LCMScheduler(**betas) if sampler == 'LCM' else DPMSolverMultistepScheduler(**betas)
    scheduler.save_pretrained(folder / 'scheduler')

    answer, details = easel.run(
        kind='pipeline', folder=str(folder), prompt=prompt, negative=negative, clean=clean, maxTokens=40, sampler=sampler,
        steps=steps, guidanceScale=scale, seed=seed, height=height, width=width,
    )
    shape = (1, 4, height // 8, width // 8)
    noises = [easel.run(kind='noise', seed=seed, count=int(np.prod(shape)), step=step)[0][0] for step in range(steps)]
    noises = [torch.from_numpy(noise.copy()).view(shape) for noise in noises]
    later = iter(noises[1:])
    pipeline = PixArtSigmaPipeline(tokenizer, t5, vae, model, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    with mock.patch('diffusers.schedulers.scheduling_lcm.randn_tensor', lambda *_, **__: next(later)):
        latents = pipeline(
            prompt, negative_prompt=negative, num_inference_steps=steps, guidance_scale=scale, height=height, width=width,
            clean_caption=clean, use_resolution_binning=False, latents=noises[0], output_type='latent', max_sequence_length=40,
        ).images
    with torch.no_grad():
        picture = vae.decode(latents / vae.config.scaling_factor).sample
    preprocess = lambda text: tokenizer(pipeline._text_preprocessing(text, clean)[0], truncation=True, max_length=40).input_ids
    for text, got in zip((prompt, negative), details['ids']):
        if (want := preprocess(text)) != got:
            raise ValueError(f'Expected the tokens {want} of {text!r}, but got {got}')
    notes = f'{sampler}, {steps} steps, guidance {scale:g}' + (f', {compression[0]} R={compression[1]}' if compression else '')
    yield Row('pipeline: final latents', notes, files, f'{height}×{width} px', relative_error(answer[0], latents), WHOLE)
    yield Row('pipeline: picture', notes, files, f'{height}×{width} px', relative_error(answer[1], picture), WHOLE)


def cases(rng: random.Random):
    def grid():
        return rng.choice([(12, 20), (26, 10), (8, 32), (16, 16), (22, 14), (30, 18)])

    for i, head_dim in enumerate([16, 24, 32, 40, 48, 64, 72, 72]):
        yield transformer_case, dict(
            layers=rng.randint(2, 5), heads=rng.randint(2, 4), head_dim=head_dim, caption=rng.choice([32, 48, 96]),
            sample_size=rng.choice([16, 32, 64]), interpolation=rng.choice([0.5, 1, 2]), latent=grid(), batch=[1, 3][i % 2],
            files=['F32', 'F16', 'BF16'][i % 3], original=i == 5,
        )
    yield transformer_case, dict(layers=2, heads=3, head_dim=32, caption=32, sample_size=128, interpolation=2, latent=grid(), batch=1,
                                 micro=True)
    yield transformer_case, dict(layers=28, heads=2, head_dim=24, caption=32, sample_size=32, interpolation=0.5, latent=(8, 12), batch=1)
    for i, (sampling, factor) in enumerate([('conv', 2), ('conv', 2), ('conv', 3), ('conv', 4), ('ave', 2), ('uniform', 2),
                                            ('uniform_every', 2)]):
        layers = rng.randint(2, 5)
        yield transformer_case, dict(
            layers=layers, heads=rng.randint(2, 4), head_dim=rng.choice([16, 24, 72]), caption=32, sample_size=32, interpolation=1,
            latent=(26, 18) if i == 1 else (24, 16), batch=[1, 3][i % 2], files=['F32', 'F16', 'BF16'][i % 3], original=i == 3,
            compression=(sampling, factor, sorted(rng.sample(range(layers), rng.randint(1, layers)))),
        )
    for i, (d_kv, shard) in enumerate([(16, '5GB'), (32, '60KB'), (64, '100KB'), (64, '5GB'), (24, '40KB')]):
        yield t5_case, dict(
            layers=rng.randint(1, 8), heads=rng.randint(2, 5), d_kv=d_kv, width=rng.choice([48, 64, 128]), hidden=rng.choice([80, 160]),
            files=['F32', 'F16', 'BF16'][i % 3], shard=shard, batch=[1, 3][i % 2],
            **({'buckets': 16, 'distance': 64} if i == 3 else {}),
        )
    for channels, layers, groups, sample_size, latent, files in [
        ((8, 8, 16, 16), 1, 4, 64, (6, 10), 'F32'), ((16, 32, 32, 64), 2, 8, 512, (14, 8), 'F16'),
        ((8, 16, 16, 24), 2, 8, 64, (12, 20), 'F32'), ((32, 32, 64, 64), 2, 32, 128, (9, 24), 'BF16'),
    ]:
        yield vae_cases, dict(channels=channels, layers=layers, groups=groups, sample_size=sample_size, latent=latent, files=files)
    yield pipeline_case, dict(steps=20, scale=4.5, size=(96, 160), prompt='A red boat on the sea at sunset, photo.')
    yield pipeline_case, dict(steps=14, scale=3, size=(160, 64), files='F16', prompt='small dog & large cat — “painting” 12:34',
                              negative='blue house, night')
    yield pipeline_case, dict(steps=5, scale=1, size=(128, 128), prompt='  Happy <b>tree</b> ', clean=False)
    yield pipeline_case, dict(steps=20, scale=4.5, size=(128, 96), prompt='the night sky with a house ' * 9, files='BF16',
                              compression=('conv', 2, [1, 2]))
    yield pipeline_case, dict(steps=4, scale=1, size=(96, 96), sampler='LCM', prompt='a cat and a dog')


def versions() -> str:
    modules = ' · '.join(f'{m.__name__} {m.__version__}' for m in (torch, diffusers, transformers, np))
    runtime = json.loads((ROOT / 'node_modules/onnxruntime-node/package.json').read_text())['version']
    node = subprocess.run(['node', '--version'], capture_output=True, text=True, check=True).stdout.strip()
    return f'Python {platform.python_version()} · {modules} · onnxruntime-node {runtime} · Node {node}'


def report(rows: list[Row], seed: int) -> str:
    worst = {}
    for row in rows:
        worst[row.network] = max(worst.get(row.network, (0, 0)), (row.error, row.bound))
    lines = [
        '# Parity with the reference implementation', '',
        'Random weights in random configurations, run through PyTorch (diffusers, transformers) in float32 and through',
        "Easel's own doors on ONNX Runtime's CPU provider; the error is ‖ours − reference‖₂ / ‖reference‖₂ over all outputs.",
        'Files in F16 and BF16 are computed with in float32 on both sides. The reference pads prompts and masks; Easel runs',
        'them at their own length. Key/value compression is not in diffusers: its reference is written from the paper.',
        'Pipelines start from the same seeded noise, and their token ids are compared too.', '',
        f'```sh\npip install -r training/requirements.txt -r training/requirements-parity.txt\npython -m training.parity --seed {seed} --out docs/parity.md\n```', '',
        versions(), '',
        '| network | cases | worst error | bound |', '| --- | --- | --- | --- |',
    ]
    for network in dict.fromkeys(row.network for row in rows):
        for bound in sorted({row.bound for row in rows if row.network == network}):
            own = [row for row in rows if row.network == network and row.bound == bound]
            name = f'{network}, compressed' if bound == COMPRESSED else network
            lines.append(f'| {name} | {len(own)} | {max(r.error for r in own):.1e} | {bound:.0e} |')
    lines += ['', '| network | configuration | files | inputs | error | bound |', '| --- | --- | --- | --- | --- | --- |']
    for row in rows:
        mark = '' if row.error <= row.bound else ' **over**'
        lines.append(f'| {row.network} | {row.configuration} | {row.files} | {row.inputs} | {row.error:.1e}{mark} | {row.bound:.0e} |')
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--out', type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.nice(10)
    transformers.utils.logging.disable_progress_bar()
    rng, generator, rows = random.Random(options.seed), torch.Generator().manual_seed(options.seed), []
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Easel(Path(folder))) as easel:
        for number, (case, arguments) in enumerate(cases(rng)):
            result = case(easel, rng, generator, Path(folder) / f'case-{number}', **arguments)
            for row in [result] if isinstance(result, Row) else result:
                rows.append(row)
                print(f'{row.error:.1e} {"ok  " if row.error <= row.bound else "OVER"} {row.network}: {row.configuration}; {row.files}; {row.inputs}',
                      flush=True)
    text = report(rows, options.seed)
    if options.out:
        options.out.write_text(text)
    sys.exit(any(row.error > row.bound for row in rows))


if __name__ == '__main__':
    main()
