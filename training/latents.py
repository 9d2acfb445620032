"""Batches of cached latents with freshly worded captions."""

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from . import checkpoint, tokenizer
from .cache import VALIDATION, folder
from .caption_labels import labelled, padded, training_caption, words_of
from .captions import caption


@dataclass
class Batch:
    latents: Tensor  # (B, 4, h, w)
    ids: Tensor  # (B, S)
    mask: Tensor  # (B, S), true where a token stands
    words: Tensor  # (B, S, 6) what each token says
    kinds: Tensor  # (B, 2, h / 2, w / 2) thing and colour
    places: Tensor  # (B, 2, h / 2, w / 2)


def tokens(texts: list[str]) -> tuple[Tensor, Tensor]:
    rows = [tokenizer.encode(text) for text in texts]
    length = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.PAD] * (length - len(row)) for row in rows])
    return ids, ids != tokenizer.PAD


class Latents:
    def __init__(self, pixels: int, validation: bool = False, rng: Random | None = None):
        self.rng = rng or Random()
        by_bin: dict[tuple, list[dict]] = {}
        for path in sorted(folder(pixels).glob('*.pt')):
            if (int(path.stem) >= VALIDATION) == validation:
                shard = checkpoint.load(path)
                by_bin.setdefault(tuple(shard['latents'].shape[2:]), []).append(shard)
        self.bins = [{key: sum((s[key] for s in shards), []) if key == 'specs' else torch.cat([s[key] for s in shards]) for key in shards[0]} for shards in by_bin.values()]
        self.orders: list[list[int]] = [[] for _ in self.bins]

    def __len__(self):
        return sum(len(b['specs']) for b in self.bins)

    def batch(self, size: int) -> Batch:
        which = self.rng.choices(range(len(self.bins)), [len(b['specs']) for b in self.bins])[0]
        if len(self.orders[which]) < size:
            self.orders[which] = torch.randperm(len(self.bins[which]['specs'])).tolist()
        rows = [self.orders[which].pop() for _ in range(size)]
        return self._take(which, rows, [training_caption(self.rng, self.bins[which]['specs'][row]) for row in rows])

    def fixed(self, count: int) -> Batch:
        """The first pictures with one caption each, always the same."""
        rng, captions = Random(0), []
        for spec in self.bins[0]['specs'][:count]:
            said = caption(rng, spec)
            captions.append(labelled(spec, said, words_of(said.text, said.phrases)))
        return self._take(0, list(range(count)), captions)

    def _take(self, which: int, rows: list[int], captions: list) -> Batch:
        bin_ = self.bins[which]
        ids, words = padded(captions)
        return Batch(bin_['latents'][rows].float(), ids, ids != tokenizer.PAD, words, bin_['kinds'][rows].long(), bin_['places'][rows].float())
