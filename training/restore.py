"""Go on from committed weights where `runs/` is lost: `python -m training.restore`.

Stages that have ended lie in `training/checkpoints/` in half precision: the VAE and the text encoder of the present world.

The 128 px stage starts from the exported transformer and text encoder, without its compression; the rows of words that
the vocabulary still holds keep their embedding. Optimizer state and heads are not in the folder and start anew. The VAE
is taken as it is with `--vae`; without, it is trained on with `python -m training.train_vae --from-exported`.
"""

import argparse
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import load_file
from torch import Tensor

from . import checkpoint, tokenizer
from .cache import VAE
from .checkpoint import read_folder
from .objective import Model
from .stages import EXPORTED, TEXT
from .vae import Vae


CHECKPOINTS = Path(__file__).parent / 'checkpoints'


def with_rows_moved(embedding: Tensor, old: sentencepiece.SentencePieceProcessor, fresh: Tensor) -> Tensor:
    """The embedding in the order of today's vocabulary; new words keep their fresh rows."""
    moved = fresh.clone()
    for row, (piece, *_) in enumerate(tokenizer.pieces()):
        if (before := old.piece_to_id(piece)) != tokenizer.UNKNOWN:
            moved[row] = embedding[before]
    return moved


def restore_ended():
    """The stages that have ended; one whose checkpoint is still there keeps it."""
    vae, text = CHECKPOINTS / 'vae.safetensors', CHECKPOINTS / 'text.safetensors'
    if vae.exists() and not VAE.exists():
        checkpoint.save(VAE, {'vae': single(load_file(vae))})
        print(f'the VAE to {VAE.name}')
    if text.exists() and not TEXT.exists():
        tensors = single(load_file(text))
        part = lambda prefix: {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        checkpoint.save(TEXT, {'t5': part('t5.'), 'head': part('head.')})
        print(f'the text encoder to {TEXT.name}')


def single(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in tensors.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--folder', type=Path, default=checkpoint.MODEL)
    parser.add_argument('--vae', action='store_true', help='take the exported VAE as final, not that of checkpoints/')
    args = parser.parse_args()
    if args.vae:
        vae = Vae()
        vae.load_state_dict(read_folder(args.folder / 'vae'))
        checkpoint.save(VAE, {'vae': vae.state_dict()})
    else:
        restore_ended()

    model = Model()
    wanted = model.state_dict()
    exported = {
        **{f'transformer.{name}': tensor for name, tensor in read_folder(args.folder / 'transformer').items()},
        **{f't5.{name}': tensor for name, tensor in read_folder(args.folder / 'text_encoder').items()},
    }
    old = sentencepiece.SentencePieceProcessor(model_file=str(args.folder / 'tokenizer' / 'spiece.model'))
    exported['t5.shared.weight'] = with_rows_moved(exported['t5.shared.weight'], old, wanted['t5.shared.weight'])
    known = {name: tensor for name, tensor in exported.items() if name in wanted}
    missing = [name for name in wanted if name not in known and not name.startswith(('labels.', 'words.'))]
    if missing:
        raise SystemExit(f'{args.folder} lacks {len(missing)} tensors, for one {missing[0]}')
    checkpoint.save(EXPORTED, {'ema': wanted | known})
    print(f'{len(known)} tensors to {EXPORTED.name}; left out: {len(exported) - len(known)} of the compression')


if __name__ == '__main__':
    with torch.no_grad():
        main()
