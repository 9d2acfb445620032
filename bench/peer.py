"""The peer of `image.ts`: diffusers' PixArtSigmaPipeline on the same model folder.

The first line on standard output describes it; then each JSON job on standard input, {prompt, seed, precision}
or {memory}, is answered with one line. Needs torch, diffusers, transformers, sentencepiece, safetensors.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings('ignore')
os.environ.setdefault('DIFFUSERS_VERBOSITY', 'error')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
os.environ.setdefault('HF_HUB_OFFLINE', '1')

import diffusers
import torch
import torch.nn.functional as F
import transformers
from diffusers import PixArtSigmaPipeline
from safetensors.torch import load_file

PRECISIONS = {'fp32': torch.float32, 'bf16': torch.bfloat16}


class CompressedAttention:
    """Key/value token compression (arXiv 2403.04692, section 3.2), which diffusers does not have, as a processor."""

    def __init__(self, weights: dict, prefix: str, factor: int, dtype: torch.dtype):
        weight = weights[f'{prefix}.sr.weight']  # (width, 1, R, R)
        self.factor, width = factor, weight.shape[0]
        self.conv = torch.nn.Conv2d(width, width, factor, factor, groups=width)
        self.norm = torch.nn.LayerNorm(width, eps=1e-5)
        self.conv.load_state_dict({'weight': weight, 'bias': weights[f'{prefix}.sr.bias']})
        self.norm.load_state_dict({'weight': weights[f'{prefix}.norm.weight'], 'bias': weights[f'{prefix}.norm.bias']})
        self.conv.to(dtype), self.norm.to(dtype)

    def compress(self, tokens):
        side = int(tokens.shape[1] ** 0.5)  # square images only
        image = tokens.transpose(1, 2).unflatten(2, (side, side))
        return self.norm(self.conv(image).flatten(2).transpose(1, 2))

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        heads = lambda x: x.unflatten(2, (attn.heads, -1)).transpose(1, 2)  # (B, heads, N, d)
        q = heads(attn.to_q(hidden_states))
        k, v = (heads(self.compress(project(hidden_states))) for project in (attn.to_k, attn.to_v))
        return attn.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def load(folder: Path, dtype: torch.dtype) -> PixArtSigmaPipeline:
    pipeline = PixArtSigmaPipeline.from_pretrained(folder, torch_dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    compression = compression_of(folder)
    if compression:
        weights = {}
        for file in (folder / 'transformer').glob('*.safetensors'):
            weights.update(load_file(file))
        for layer in compression['kv_compress_layer']:
            name = f'transformer_blocks.{layer}.attn1'
            processor = CompressedAttention(weights, name, compression['scale_factor'], dtype)
            pipeline.transformer.transformer_blocks[layer].attn1.set_processor(processor)
    return pipeline


def compression_of(folder: Path) -> dict | None:
    return json.loads((folder / 'transformer' / 'config.json').read_text()).get('kv_compress_config')


def draw(pipeline: PixArtSigmaPipeline, options: dict, prompt: str, seed: int) -> dict:
    ends = []

    def step_ended(_step, _timestep, _latents):
        ends.append(time.perf_counter())

    started = time.perf_counter()
    pipeline(
        prompt,
        generator=torch.Generator().manual_seed(seed),
        callback=step_ended,
        use_resolution_binning=False,
        clean_caption=False,
        **options,
    )
    ended = time.perf_counter()
    steps = [1000 * (b - a) for a, b in zip(ends, ends[1:])]
    return {'stepsMs': steps, 'imageMs': 1000 * (ended - started)}


def resident_mb() -> float:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def main():
    folder = Path(sys.argv[1])
    easel = json.loads((folder / 'easel.json').read_text())
    defaults = easel['defaults']
    options = {
        'width': defaults['width'],
        'height': defaults['height'],
        'num_inference_steps': defaults['steps'],
        'guidance_scale': defaults['guidanceScale'],
        'max_sequence_length': easel['maxPromptTokens'],  # not its own 300, which the model never saw
    }
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    pipelines = {}
    compression = ', key/value compression as an attention processor' if compression_of(folder) else ''
    answer = {
        'description': f'diffusers {diffusers.__version__}, transformers {transformers.__version__}, '
        f'torch {torch.__version__}, {torch.get_num_threads()} threads, eager{compression}'
    }
    print(json.dumps(answer), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if job.get('memory'):
            answer = {'residentMB': resident_mb()}
        else:
            precision = job['precision']
            if precision not in pipelines:
                pipelines[precision] = load(folder, PRECISIONS[precision])
            answer = draw(pipelines[precision], options, job['prompt'], job['seed'])
        print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    main()
