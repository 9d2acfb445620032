"""Train the transformer and its text encoder together, weak to strong; the same command goes on:

    python -m training.train_transformer --stage low --minutes 300         # 128 px
    python -m training.train_transformer --stage high --minutes 120        # 256 px, positions interpolated
    python -m training.train_transformer --stage compressed --minutes 20   # 256 px, keys and values compressed

A stage that has no checkpoint starts from the moving average of the one before it; the first one from what
`training.restore` and `training.train_text` wrote, where they did.
"""

import argparse

from . import checkpoint
from .objective import Model
from .stages import EXPORTED, STAGES, TEXT, path
from .trainer import Limit, Trainer


def prepare(stage_name: str, model: Model):
    stage = STAGES[stage_name]
    origin = checkpoint.load(path(stage.starts_from) if stage.starts_from else EXPORTED)
    if origin:
        model.load_state_dict(origin['ema'])
    if not stage.starts_from and (text := checkpoint.load(TEXT)):
        model.t5.load_state_dict(text['t5'])
        model.words.load_state_dict(text['head'])
    if stage.compressed:
        model.transformer.add_compression()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--stage', choices=STAGES, required=True)
    parser.add_argument('--minutes', type=float, required=True, help='of computing on all cores in all, resumed time included')
    args = parser.parse_args()
    checkpoint.write_pid()
    Trainer(STAGES[args.stage], path(args.stage), Limit(minutes=args.minutes), lambda model: prepare(args.stage, model)).run()


if __name__ == '__main__':
    main()
