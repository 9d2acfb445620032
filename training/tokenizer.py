"""A SentencePiece unigram vocabulary of whole words, written as spiece.model and as tokenizer.json.

The words of the captions are pieces of their own; any other word falls apart into short letter groups. Ids as in T5:
0 pad, 1 end, 2 unknown.
"""

import base64
import io
import json
import struct
from functools import cache
from pathlib import Path

import sentencepiece

from . import captions

MODEL = Path(__file__).parent / 'runs' / 'spiece.model'
ROWS = 1024  # of the embedding; the pieces are fewer
PAD, END, UNKNOWN = 0, 1, 2
SPACE = '\u2581'

# Words that no caption uses, common in prompts; training sprinkles them so that the model learns to let them pass.
FILLERS = (
    'the with very cute small big beautiful old little happy large tiny lovely bright quiet calm wonderful style detailed art digital '
    'fantasy colorful and of from scene view high quality simple some many new lonely pretty shiny great cozy magic magical dream realistic '
    'cartoon artwork standing sitting flying sailing driving parked near by for this that my i see show me draw make please'
).split()
FRAGMENTS = (
    'th he in er an re on at en nd ti es or te ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ne ea ra ce li ch ll be '
    'ma si om ur el la ta no us sh ho lo un ut ly ss ee oo ck ing tion ion ment ness able est pr tr cr br gr fr pl cl bl sp'
).split()
LETTERS = 'abcdefghijklmnopqrstuvwxyz'
SIGNS = '0123456789,.!?-\'":;/+&()%'

NORMAL, UNKNOWN_TYPE, CONTROL = 1, 2, 3


def words() -> list[str]:
    return sorted({*captions.words(), *FILLERS})


def pieces() -> list[tuple[str, float, int]]:
    rows = [('<pad>', 0.0, CONTROL), ('</s>', 0.0, CONTROL), ('<unk>', 0.0, UNKNOWN_TYPE)]
    scores = {SPACE: -4.0}
    scores |= {SPACE + word: -5.0 for word in words()}
    for fragment in FRAGMENTS:
        scores.setdefault(fragment, -9.0 - len(fragment) / 4)
    for letter in LETTERS:
        scores.setdefault(letter, -8.0)
    scores |= {sign: -5.0 for sign in SIGNS}
    return rows + [(piece, score, NORMAL) for piece, score in scores.items()]


# ---------------------------------------------------------------- protobuf, as far as it is needed


def varint(value: int) -> bytes:
    out = b''
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def read_fields(message: bytes) -> list[tuple[int, bytes]]:
    """The length-delimited fields of a message that has no others at its top level."""
    at, fields = 0, []

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        tag, length = number(), number()
        fields.append((tag >> 3, message[at : at + length]))
        at += length
    return fields


def normalizer_and_trainer() -> dict[int, bytes]:
    """SentencePiece's own settings, its nmt_nfkc character map included, from a throw-away training."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words() * 2), model_writer=out, vocab_size=40, hard_vocab_limit=False, model_type='unigram',
        pad_id=PAD, eos_id=END, unk_id=UNKNOWN, bos_id=-1, normalization_rule_name='nmt_nfkc', minloglevel=2,
    )  # fmt: skip
    return {number: payload for number, payload in read_fields(out.getvalue()) if number in (2, 3)}


def character_map(model: bytes) -> bytes:
    normalizer = dict(read_fields(model))[3]
    at = normalizer.index(b'\x12', normalizer.index(b'nmt_nfkc'))  # field 2, right after the name
    length, shift = 0, 0
    while True:
        at += 1
        length |= (normalizer[at] & 0x7F) << shift
        shift += 7
        if normalizer[at] < 0x80:
            return normalizer[at + 1 : at + 1 + length]


def build() -> bytes:
    message = b''
    rows = pieces()
    for piece, score, kind in rows:
        message += field(1, field(1, piece.encode()) + b'\x15' + struct.pack('<f', score) + b'\x18' + varint(kind))
    settings = normalizer_and_trainer()
    return message + field(2, settings[2] + b'\x20' + varint(len(rows))) + field(3, settings[3])


def tokenizer_json(model: bytes) -> dict:
    """The same vocabulary for the Hugging Face tokenizers library."""
    special = lambda id, text: {'id': id, 'content': text, 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False, 'special': True}
    metaspace = {'type': 'Metaspace', 'replacement': SPACE, 'prepend_scheme': 'always', 'split': True}
    return {
        'version': '1.0',
        'truncation': None,
        'padding': None,
        'added_tokens': [special(PAD, '<pad>'), special(END, '</s>'), special(UNKNOWN, '<unk>')],
        'normalizer': {'type': 'Sequence', 'normalizers': [
            {'type': 'Precompiled', 'precompiled_charsmap': base64.b64encode(character_map(model)).decode()},
            {'type': 'Strip', 'strip_left': False, 'strip_right': True},
            {'type': 'Replace', 'pattern': {'Regex': ' {2,}'}, 'content': SPACE},
        ]},
        'pre_tokenizer': metaspace,
        'post_processor': {
            'type': 'TemplateProcessing',
            'single': [{'Sequence': {'id': 'A', 'type_id': 0}}, {'SpecialToken': {'id': '</s>', 'type_id': 0}}],
            'pair': [{'Sequence': {'id': 'A', 'type_id': 0}}, {'SpecialToken': {'id': '</s>', 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': 0}}, {'SpecialToken': {'id': '</s>', 'type_id': 0}}],
            'special_tokens': {'</s>': {'id': '</s>', 'ids': [END], 'tokens': ['</s>']}},
        },
        'decoder': metaspace,
        'model': {'type': 'Unigram', 'unk_id': UNKNOWN, 'vocab': [[piece, score] for piece, score, _ in pieces()], 'byte_fallback': False},
    }  # fmt: skip


def write(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    model = build()
    (folder / 'spiece.model').write_bytes(model)
    (folder / 'tokenizer.json').write_text(json.dumps(tokenizer_json(model), ensure_ascii=False, indent=1))
    special = {'eos_token': '</s>', 'pad_token': '<pad>', 'unk_token': '<unk>'}
    settings = {'tokenizer_class': 'T5Tokenizer', 'extra_ids': 0, 'additional_special_tokens': [], 'legacy': True, 'model_max_length': 64, **special}
    (folder / 'tokenizer_config.json').write_text(json.dumps(settings, indent=2) + '\n')
    (folder / 'special_tokens_map.json').write_text(json.dumps(special, indent=2) + '\n')


@cache
def processor() -> sentencepiece.SentencePieceProcessor:
    if not MODEL.exists():
        write(MODEL.parent)
    return sentencepiece.SentencePieceProcessor(model_file=str(MODEL))


@cache
def pieces_of(word: str) -> list[int]:
    """The ids of one word; pieces never reach over a space."""
    return processor().encode(word)


def encode(text: str) -> list[int]:
    return [*processor().encode(text), END]
