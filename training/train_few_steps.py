"""Distil the last stage into four steps: `python -m training.train_few_steps --stage compressed --minutes 60`.

Latent consistency distillation (Luo et al. 2023, algorithm 1): the student maps every point of a guided DDIM path of the
teacher to the same clean latents. Only low-rank adapters are trained; VAE and text encoder are shared. The timesteps are
those that diffusers' LCMScheduler draws from.
"""

import argparse

import torch
from torch import Tensor

from . import checkpoint
from .checkpoint import CORES
from .diffusion import ALPHAS, add_noise
from .latents import Batch, Latents, tokens
from .lora import adapters_of, add_adapters
from .sample import load
from .objective import Model
from .stages import FEW_STEPS, STAGES
from .twins import Twins

BATCH, RATE, AVERAGE = 8 * CORES, 1e-3, 0.95
GUIDANCE, ORIGINAL_STEPS, SKIP = 3.0, 50, 20
SIGMA_DATA, TIMESTEP_SCALE = 0.5, 10.0


def boundary(timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """c_skip and c_out: at timestep 0 the function is the identity."""
    scaled = timesteps.float() * TIMESTEP_SCALE
    return SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2), scaled / (scaled**2 + SIGMA_DATA**2).sqrt()


def column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def clean(latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    alpha = column(ALPHAS[timesteps])
    return (latents - (1 - alpha).sqrt() * noise) / alpha.sqrt()


def consistency(model: Model, latents: Tensor, timesteps: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    noise = model.transformer(latents, timesteps, states, mask)[:, :4].float()
    skip, out = map(column, boundary(timesteps))
    return skip * latents + out * clean(latents, noise, timesteps)


def ddim(latents: Tensor, noise: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """One deterministic step of Song et al. 2021, equation 12."""
    alpha = column(torch.where(end > 0, ALPHAS[end.clamp(min=0)], 1.0))
    return alpha.sqrt() * clean(latents, noise, start) + (1 - alpha).sqrt() * noise


class Distillation:
    """Teacher, target and student share their frozen weights; the target is the student's moving average."""

    def __init__(self, stage: str):
        self.teacher = load(stage).requires_grad_(False)
        self.target, self.student = (add_adapters(load(stage)) for _ in range(2))
        self.target.requires_grad_(False)
        self.uncond_ids, self.uncond_mask = tokens([''])

    @torch.no_grad()
    def guided_noise(self, latents: Tensor, t: Tensor, batch: Batch) -> Tensor:
        given = self.teacher.transformer(latents, t, self.teacher.t5(batch.ids, batch.mask), batch.mask)
        empty = self.teacher.t5(self.uncond_ids, self.uncond_mask).expand(len(t), -1, -1)
        without = self.teacher.transformer(latents, t, empty, self.uncond_mask.expand(len(t), -1))
        given, without = given[:, :4].float(), without[:, :4].float()
        return without + GUIDANCE * (given - without)

    def loss(self, student: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        count = len(batch.latents)
        start = SKIP * (1 + torch.randint(ORIGINAL_STEPS, (count,))) - 1
        end = (start - SKIP).clamp(min=0)
        noised = add_noise(batch.latents, torch.randn_like(batch.latents), start)
        with torch.no_grad():
            states = self.teacher.t5(batch.ids, batch.mask)
            earlier = ddim(noised, self.guided_noise(noised, start, batch), start, end)
            wanted = consistency(self.target, earlier, end, states, batch.mask)
        difference = consistency(student, noised, start, states, batch.mask) - wanted
        huber = (difference.square() + 1e-6).sqrt() - 1e-3
        return huber.mean(), difference.square().mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--stage', choices=STAGES, default='compressed', help='the teacher')
    parser.add_argument('--minutes', type=float, required=True, help='in all, resumed time included')
    args = parser.parse_args()
    checkpoint.write_pid()
    distillation = Distillation(args.stage)
    student, target = distillation.student, distillation.target
    state = checkpoint.load(FEW_STEPS) or {'step': 0, 'minutes': 0.0}
    masters = {name: p.detach().float().clone() for name, p in adapters_of(student).items()}
    average = {name: p.detach().clone() for name, p in masters.items()}
    optimizer = torch.optim.AdamW(masters.values(), lr=RATE, weight_decay=0, fused=True)
    if state['step']:
        for name in masters:
            masters[name].copy_(state['model'][name])
            average[name].copy_(state['ema'][name])
        optimizer.load_state_dict(state['optimizer'])
    twins, step, clock, mean = Twins(student), state['step'], checkpoint.Clock(state['minutes']), None

    @torch.no_grad()
    def copy_back():
        for model, values in ((student, masters), (target, average)):
            for name, parameter in adapters_of(model).items():
                parameter.copy_(values[name])

    def save():
        checkpoint.save(FEW_STEPS, {'stage': args.stage, 'step': step, 'minutes': clock.minutes(), 'model': masters, 'ema': average, 'optimizer': optimizer.state_dict()})

    copy_back()
    latents = Latents(STAGES[args.stage].pixels)
    while (done := clock.minutes() / args.minutes) < 1:
        optimizer.param_groups[0]['lr'] = RATE * min(1, (step + 1) / 50, 0.02 + (1 - done) / 0.3)
        (mse,) = twins.backward(distillation.loss, [latents.batch(BATCH // CORES) for _ in range(CORES)])
        twins.collect(masters.values())
        torch.nn.utils.clip_grad_norm_(masters.values(), 1.0)
        optimizer.step()
        step += 1
        torch._foreach_lerp_(list(average.values()), list(masters.values()), 1 - AVERAGE)
        copy_back()
        mean = mse if mean is None else 0.98 * mean + 0.02 * mse
        if step % 50 == 0:
            print(f'{clock.minutes():6.1f} min  step {step}  samples {step * BATCH}  mse {mean:.4f}', flush=True)
        if clock.time_to_save():
            save()
    save()


if __name__ == '__main__':
    main()
