"""Cases of whole pipelines: prompt to tokens, latents and pixels."""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import sentencepiece
import torch
from diffusers import DPMSolverMultistepScheduler, LCMScheduler, PixArtSigmaPipeline
from transformers import T5Tokenizer

from .easel import DTYPES, WHOLE, Row, relative_error, rounded
from .networks import make_t5, make_vae, save_t5, save_vae
from .transformer import compressors, make_transformer, save_transformer, set_compression

WORDS = 'a the of in on red blue boat cat dog sea house tree happy small large photo painting at sunset with and night sky'.split()


def make_tokenizer(folder: Path, rng) -> T5Tokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder.parent / 'corpus.txt'
    corpus.write_text('\n'.join(' '.join(rng.choices(WORDS, k=8)) for _ in range(300)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / 'spiece'), vocab_size=120, hard_vocab_limit=False, model_type='unigram',
        normalization_rule_name='nmt_nfkc', pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )
    (folder / 'spiece.vocab').unlink()
    (folder / 'tokenizer_config.json').write_text(json.dumps({'tokenizer_class': 'T5Tokenizer', 'extra_ids': 100}))
    return T5Tokenizer.from_pretrained(folder)


def pipeline_case(easel, rng, generator, folder, *, files='F32', compression=None, sampler='DPMPP_2M', steps, scale, size,
                  prompt, negative='', clean=True):
    dtype, seed = DTYPES[files], rng.randrange(2**53)
    height, width = size
    tokenizer = make_tokenizer(folder / 'tokenizer', rng)
    t5 = make_t5(generator, layers=2, heads=4, d_kv=16, width=64, hidden=96)
    save_t5(t5, folder / 'text_encoder', dtype, '100KB')
    vae = make_vae(generator, channels=(16, 32, 32, 32), layers=1, groups=8, sample_size=512)
    save_vae(vae, folder / 'vae', dtype)
    model = make_transformer(generator, layers=3, heads=4, head_dim=24, caption=64, sample_size=32, interpolation=0.5)
    parts = compressors(generator, model, *compression) if compression else {}
    save_transformer(model, folder / 'transformer', dtype, compression, parts)
    rounded(model, dtype)
    for conv, norm in parts.values():
        rounded(conv, dtype), rounded(norm, dtype)
    if compression:
        set_compression(model, *compression, (height // 16, width // 16), parts)
    betas = {'beta_start': 0.0001, 'beta_end': 0.02, 'beta_schedule': 'linear'}
    scheduler = LCMScheduler(**betas) if sampler == 'LCM' else DPMSolverMultistepScheduler(**betas)
    scheduler.save_pretrained(folder / 'scheduler')

    answer, details = easel.run(
        kind='pipeline', folder=str(folder), prompt=prompt, negative=negative, clean=clean, maxTokens=40, sampler=sampler,
        steps=steps, guidanceScale=scale, seed=seed, height=height, width=width,
    )
    shape = (1, 4, height // 8, width // 8)
    noises = [easel.run(kind='noise', seed=seed, count=int(np.prod(shape)), step=step)[0][0] for step in range(steps)]
    noises = [torch.from_numpy(noise.copy()).view(shape) for noise in noises]
    later = iter(noises[1:])
    pipeline = PixArtSigmaPipeline(tokenizer, t5, vae, model, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    with mock.patch('diffusers.schedulers.scheduling_lcm.randn_tensor', lambda *_, **__: next(later)):
        latents = pipeline(
            prompt, negative_prompt=negative, num_inference_steps=steps, guidance_scale=scale, height=height, width=width,
            clean_caption=clean, use_resolution_binning=False, latents=noises[0], output_type='latent', max_sequence_length=40,
        ).images
    with torch.no_grad():
        picture = vae.decode(latents / vae.config.scaling_factor).sample
    preprocess = lambda text: tokenizer(pipeline._text_preprocessing(text, clean)[0], truncation=True, max_length=40).input_ids
    for text, got in zip((prompt, negative), details['ids']):
        if (want := preprocess(text)) != got:
            raise ValueError(f'Expected the tokens {want} of {text!r}, but got {got}')
    notes = f'{sampler}, {steps} steps, guidance {scale:g}' + (f', {compression[0]} R={compression[1]}' if compression else '')
    yield Row('pipeline: final latents', notes, files, f'{height}×{width} px', relative_error(answer[0], latents), WHOLE)
    yield Row('pipeline: picture', notes, files, f'{height}×{width} px', relative_error(answer[1], picture), WHOLE)
