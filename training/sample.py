"""Make pictures with a checkpoint, for the eye: `python -m training.sample --stage low --out sheet.png`."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import checkpoint
from .cache import final_vae
from .captions import UNSEEN
from .diffusion import dpmpp2m, lcm
from .latents import tokens
from .lora import adapters_of, add_adapters, merged
from .objective import Model
from .stages import FEW_STEPS, STAGES, path
from .vae import Vae


def load(stage: str, dtype: torch.dtype = torch.bfloat16) -> Model:
    """A stage's moving average."""
    state = checkpoint.load(path(stage))
    model = Model(state['compressed'])
    model.load_state_dict(state['ema'])
    return model.to(dtype).eval()


@torch.no_grad()
def load_few_steps(dtype: torch.dtype = torch.bfloat16) -> Model:
    """The stage that was distilled, with its adapters added in."""
    state = checkpoint.load(FEW_STEPS)
    adapted = add_adapters(load(state['stage'], torch.float32))
    for name, parameter in adapters_of(adapted).items():
        parameter.copy_(state['ema'][name])
    model = load(state['stage'], torch.float32)
    model.load_state_dict(merged(adapted))
    return model.to(dtype)


@torch.no_grad()
def latents_for(model: Model, captions: list[str], seeds: list[int], height: int, width: int, guidance: float, steps: int = 20, few_steps: bool = False) -> Tensor:
    noise = torch.stack([torch.randn(4, height // 8, width // 8, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    if few_steps:
        ids, mask = tokens(captions)
        states = model.t5(ids, mask)
        return lcm(lambda x, t: model.transformer(x, torch.full((len(x),), t), states, mask)[:, :4].float(), noise, steps)
    ids, mask = tokens([''] * len(captions) + captions)
    caption = model.t5(ids, mask)  # unconditional first

    def denoise(x: Tensor, t: int) -> Tensor:
        out = model.transformer(torch.cat([x, x]), torch.full((2 * len(x),), t), caption, mask)[:, :4].float()
        without, given = out.chunk(2)
        return without + guidance * (given - without)

    return dpmpp2m(denoise, noise, steps)


@torch.no_grad()
def pictures(vae: Vae, latents: Tensor) -> np.ndarray:
    """(B, H, W, 3) bytes."""
    pixels = torch.cat([vae.decode(x[None]) for x in latents])
    return ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()


def sheet(images: np.ndarray, columns: int) -> Image.Image:
    rows = [np.concatenate(list(images[i : i + columns]), 1) for i in range(0, len(images) - columns + 1, columns)]
    return Image.fromarray(np.concatenate(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stage', choices=STAGES, required=True)
    parser.add_argument('--pixels', type=int, help='the side; by default that of the stage')
    parser.add_argument('--count', type=int, default=24)
    parser.add_argument('--columns', type=int, default=8)
    parser.add_argument('--guidance', type=float, default=3.0)
    parser.add_argument('--few-steps', action='store_true', help='four steps of the distilled model, without guidance')
    parser.add_argument('--prompt', action='append', help='instead of the test captions')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--folder', type=Path, help='also one PNG for each test caption, for evaluate')
    args = parser.parse_args()
    rows = json.loads(UNSEEN.read_text())[: args.count]
    captions, seeds = [row['caption'] for row in rows], [row['seed'] for row in rows]
    if args.prompt:
        captions, seeds = args.prompt, list(range(1, len(args.prompt) + 1))
    side = args.pixels or STAGES[args.stage].pixels
    model = load_few_steps() if args.few_steps else load(args.stage)
    steps, vae, made = 4 if args.few_steps else 20, final_vae(), []
    for i in range(0, len(captions), 8):
        made.append(pictures(vae, latents_for(model, captions[i : i + 8], seeds[i : i + 8], side, side, args.guidance, steps, args.few_steps)))
    images = np.concatenate(made)
    sheet(images, min(args.columns, len(images))).save(args.out)
    for i, text in enumerate(captions):
        print(i, text)
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(images):
            Image.fromarray(image).save(args.folder / f'{i:04}.png')


if __name__ == '__main__':
    main()
