"""Easel's networks and pipelines against the PyTorch reference (diffusers, transformers), on random configurations.

Every case makes weights, writes them as an official folder would have them, runs the reference in float32, runs the
same through `parity.ts` (the engine's own doors) and compares by relative L2 error. Exits with 1 if a bound is broken.
"""

import os
import warnings

warnings.filterwarnings('ignore')
os.environ.setdefault('DIFFUSERS_VERBOSITY', 'error')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
os.environ.setdefault('HF_HUB_OFFLINE', '1')
