"""What each token of a caption says: thing, colour, number and place of its group; setting and time for all tokens.

The loss of the pictures alone hardly rewards knowing which of two things is red or on the left: a text encoder trained by
it stays a bag of words. Predicting these labels from its output teaches it to bind words to each other.
"""

from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import tokenizer
from .captions import Caption, caption
from .scenery import TIMES
from .settings import SETTINGS
from .t5 import WIDTH
from .things import THINGS
from .world import HUES, RELATIONS, Spec

EMPTY_SHARE, FILLER_SHARE = 0.1, 0.12
OPPOSITE = {'left': 'right', 'right': 'left', 'above': 'below', 'below': 'above', 'front': 'behind', 'behind': 'front'}
NAMES = list(THINGS)
SIZES = (len(NAMES), len(HUES), 3, 1 + len(RELATIONS), 1 + len(SETTINGS), 1 + len(TIMES))  # classes; the last three have one for "not said"
IGNORED = -100

Word = tuple[str, int | None]  # and the group that it belongs to


def words_of(text: str, phrases: tuple[str, ...]) -> list[Word]:
    words: list[Word] = [(word, None) for word in text.split(' ')]
    for group, phrase in enumerate(phrases):
        wanted = phrase.split(' ')
        for i in range(len(words) - len(wanted) + 1):
            here = words[i : i + len(wanted)]
            if [word.rstrip(',') for word, _ in here] == wanted and all(g is None for _, g in here):
                words[i : i + len(wanted)] = [(word, group) for word, _ in here]
                break
    return words


def with_fillers(rng: Random, words: list[Word]) -> list[Word]:
    """Words that say nothing about the picture, so that the model learns to let them pass."""
    words = list(words)
    for _ in range(rng.choice((1, 1, 2, 3))):
        nonsense = ''.join(rng.choice(tokenizer.LETTERS) for _ in range(rng.randint(3, 8)))
        words.insert(rng.randint(0, len(words)), (rng.choice(tokenizer.FILLERS) if rng.random() < 0.7 else nonsense, None))
    return words


def labelled(spec: Spec, said: Caption, words: list[Word]) -> tuple[list[int], list[list[int]]]:
    """Token ids and the six labels of each token."""
    setting = 1 + SETTINGS.index(spec.setting) if said.setting else 0
    time = 1 + TIMES.index(spec.time) if said.time else 0
    rows = {None: [IGNORED] * 4 + [setting, time]}
    for i, group in enumerate(spec.groups):
        relation = spec.relation if i == 0 else OPPOSITE.get(spec.relation)
        place = 1 + RELATIONS.index(relation) if said.relation else 0
        rows[i] = [NAMES.index(group.thing), HUES.index(group.color), group.count - 1, place, setting, time]
    ids, labels = [], []
    for word, group in words:
        pieces = tokenizer.pieces_of(word)
        ids += pieces
        labels += [rows[group]] * len(pieces)
    return [*ids, tokenizer.END], [*labels, rows[None]]


def training_caption(rng: Random, spec: Spec) -> tuple[list[int], list[list[int]]]:
    """Token ids and labels of a freshly worded caption; some are empty, some hold words that say nothing."""
    if rng.random() < EMPTY_SHARE:
        return [tokenizer.END], [[IGNORED] * 6]
    said = caption(rng, spec)
    words = words_of(said.text, said.phrases)
    return labelled(spec, said, with_fillers(rng, words) if rng.random() < FILLER_SHARE else words)


def padded(rows: list[tuple[list[int], list[list[int]]]]) -> tuple[Tensor, Tensor]:
    """(B, S) ids and (B, S, 6) labels."""
    length = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [tokenizer.PAD] * (length - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [[IGNORED] * 6] * (length - len(labels)) for _, labels in rows])
    return ids, labels


class CaptionHead(nn.Linear):
    """Used in training only; not part of the exported model."""

    def __init__(self):
        super().__init__(WIDTH, sum(SIZES))

    def losses(self, states: Tensor, labels: Tensor) -> list[Tensor]:
        """One for each label, of the text encoder's output (B, S, width)."""
        logits = self(states).float().flatten(0, 1).split(SIZES, dim=-1)
        return [cross_entropy(l, t) for l, t in zip(logits, labels.flatten(0, 1).unbind(-1))]

    @torch.no_grad()
    def shares_right(self, states: Tensor, labels: Tensor) -> list[float]:
        logits = self(states).flatten(0, 1).split(SIZES, dim=-1)
        targets = labels.flatten(0, 1).unbind(-1)
        return [((l.argmax(-1) == t) & (t >= 0)).sum().item() / max((t >= 0).sum().item(), 1) for l, t in zip(logits, targets)]


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Zero, not undefined, where every target is ignored."""
    return F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction='sum') / (targets >= 0).sum().clamp(min=1)
