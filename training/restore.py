"""Go on from the exported weights where `runs/` is lost: `python -m training.restore`.

The VAE is as it was, and the 128 px stage starts from the exported transformer and text encoder, without its
compression. Optimizer state and label head are not in the folder and start anew.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from . import checkpoint
from .cache import VAE
from .export import FOLDER
from .train_transformer import EXPORTED, Model
from .vae import Vae


def read(folder: Path) -> dict[str, Tensor]:
    return {name: tensor.float() for file in sorted(folder.glob('*.safetensors')) for name, tensor in load_file(file).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', type=Path, default=FOLDER)
    args = parser.parse_args()

    vae = Vae()
    vae.load_state_dict(read(args.folder / 'vae'))
    checkpoint.save(VAE, {'vae': vae.state_dict()})

    model = Model()
    exported = {
        **{f'transformer.{name}': tensor for name, tensor in read(args.folder / 'transformer').items()},
        **{f't5.{name}': tensor for name, tensor in read(args.folder / 'text_encoder').items()},
    }
    wanted = model.state_dict()
    known = {name: tensor for name, tensor in exported.items() if name in wanted}
    missing = [name for name in wanted if name not in known and not name.startswith('labels.')]
    if missing:
        raise SystemExit(f'{args.folder} lacks {len(missing)} tensors, for one {missing[0]}')
    checkpoint.save(EXPORTED, {'ema': wanted | known})
    dropped = sorted(name for name in exported if name not in wanted)
    print(f'{len(known)} tensors to {EXPORTED.name}; left out: {len(dropped)} of the compression')


if __name__ == '__main__':
    with torch.no_grad():
        main()
