"""Write the model folder in the official layout: `python -m training.export --stage compressed`."""

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from . import captions, checkpoint, t5, tokenizer, transformer, vae
from .cache import final_vae
from .diffusion import SCHEDULER_CONFIG
from .painting import render
from .sample import load
from .scenery import TIMES
from .settings import SETTINGS
from .stages import STAGES
from .things import COLORS, THINGS
from .train_vae import to_tensor
from .world import BINS, training_spec

FOLDER = checkpoint.MODEL
SHARD_BYTES = 14_000_000
MAX_TOKENS = 64


def write_json(path: Path, value: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + '\n')


def half(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().half().contiguous() for name, tensor in module.state_dict().items()}


def save(tensors: dict[str, Tensor], folder: Path, name: str):
    """One file, or numbered ones and their index where one would be too large."""
    for old in folder.glob(f'{name}*.safetensors*'):
        old.unlink()
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, tensor in tensors.items():
        size += tensor.nbytes
        if size > SHARD_BYTES:
            shards.append({})
            size = tensor.nbytes
        shards[-1][key] = tensor
    if len(shards) == 1:
        return save_file(tensors, folder / f'{name}.safetensors', {'format': 'pt'})
    files = [f'{name}-{i + 1:05}-of-{len(shards):05}.safetensors' for i in range(len(shards))]
    for file, shard in zip(files, shards):
        save_file(shard, folder / file, {'format': 'pt'})
    total = sum(tensor.nbytes for tensor in tensors.values())
    weight_map = {key: file for file, shard in zip(files, shards) for key in shard}
    write_json(folder / f'{name}.safetensors.index.json', {'metadata': {'total_size': total}, 'weight_map': weight_map})


@torch.no_grad()
def latent_rgb(model: vae.Vae, count: int = 48) -> dict:
    """Least squares from a latent cell to the mean colour, in [-1, 1], of its 8 x 8 pixels: for previews."""
    rng, latents, colors = Random(11), [], []
    for _ in range(count):
        z = model.encode(to_tensor(render(training_spec(rng), rng.getrandbits(31))[0])[None])[0]
        latents.append(z.flatten(2)[0].T)
        colors.append(torch.nn.functional.avg_pool2d(model.decode(z), 8).flatten(2)[0].T)
    x = torch.cat(latents).numpy()
    solution, *_ = np.linalg.lstsq(np.c_[x, np.ones(len(x))], torch.cat(colors).numpy(), rcond=None)
    return {'matrix': solution[:4].round(4).tolist(), 'bias': solution[4].round(4).tolist()}


def vocabulary() -> list[str]:
    names = [name for thing in THINGS.values() for name in thing.names]
    places = [phrase for setting in SETTINGS for phrase in captions.SETTING_PHRASES[setting]]
    times = [phrase for time in TIMES for phrase in captions.TIME_PHRASES[time]]
    return [*names, *COLORS, 'one', 'two', 'three', 'left of', 'right of', 'above', 'below', 'in front of', 'behind', *places, *times]


def easel_json(model: vae.Vae) -> dict:
    return {
        'title': 'Easel mini',
        'description': f'A small PixArt-Sigma trained from nothing on a procedural world: {len(THINGS)} things, many of them in ten colours, one to three at once, in ten places, at four times of day.',
        'license': 'Apache-2.0',
        'defaults': {'width': 256, 'height': 256, 'steps': 20, 'guidanceScale': 3, 'sampler': 'DPMPP_2M'},
        'sizes': [{'width': 16 * w, 'height': 16 * h} for h, w in BINS],
        'maxPromptTokens': MAX_TOKENS,
        'latentRgb': latent_rgb(model),
        'vocabulary': vocabulary(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stage', choices=STAGES, required=True)
    parser.add_argument('--folder', type=Path, default=FOLDER)
    args = parser.parse_args()
    model, autoencoder = load(args.stage, torch.float32), final_vae()

    write_json(args.folder / 'model_index.json', {
        '_class_name': 'PixArtSigmaPipeline',
        '_diffusers_version': '0.30.0',
        'scheduler': ['diffusers', 'DPMSolverMultistepScheduler'],
        'text_encoder': ['transformers', 'T5EncoderModel'],
        'tokenizer': ['transformers', 'T5Tokenizer'],
        'transformer': ['diffusers', 'PixArtTransformer2DModel'],
        'vae': ['diffusers', 'AutoencoderKL'],
    })  # fmt: skip
    config = dict(transformer.CONFIG)
    if STAGES[args.stage].compressed:
        config['kv_compress_config'] = {'sampling': 'conv', 'scale_factor': 2, 'kv_compress_layer': list(transformer.COMPRESSED)}
    write_json(args.folder / 'transformer' / 'config.json', config)
    save(half(model.transformer), args.folder / 'transformer', 'diffusion_pytorch_model')
    write_json(args.folder / 'text_encoder' / 'config.json', t5.CONFIG)
    save(half(model.t5), args.folder / 'text_encoder', 'model')
    tokenizer.write(args.folder / 'tokenizer')
    write_json(args.folder / 'vae' / 'config.json', vae.CONFIG | {'scaling_factor': 1.0})
    save(half(autoencoder), args.folder / 'vae', 'diffusion_pytorch_model')
    write_json(args.folder / 'scheduler' / 'scheduler_config.json', SCHEDULER_CONFIG)
    write_json(args.folder / 'easel.json', easel_json(autoencoder))
    total = sum(file.stat().st_size for file in args.folder.rglob('*') if file.is_file())
    print(f'{total / 1e6:.1f} MB in {args.folder.name}')


if __name__ == '__main__':
    main()
