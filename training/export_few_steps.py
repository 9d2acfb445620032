"""Write the few-step adapters as diffusers keeps them: `python -m training.export_few_steps --folder models/easel-mini-lcm`.

The folder holds `pytorch_lora_weights.safetensors` and the scheduler; the rest is that of the model they adapt.
"""

import argparse
from pathlib import Path

from safetensors.torch import save_file

from . import checkpoint
from .diffusion import STEPS
from .export import write_json
from .lora import peft_names
from .stages import FEW_STEPS
from .train_few_steps import ORIGINAL_STEPS, TIMESTEP_SCALE

SCHEDULER_CONFIG = {
    '_class_name': 'LCMScheduler',
    'beta_end': 0.02,
    'beta_schedule': 'linear',
    'beta_start': 0.0001,
    'num_train_timesteps': STEPS,
    'original_inference_steps': ORIGINAL_STEPS,
    'prediction_type': 'epsilon',
    'timestep_scaling': TIMESTEP_SCALE,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--folder', type=Path, required=True)
    args = parser.parse_args()
    adapters = {name.removeprefix('transformer.'): tensor for name, tensor in checkpoint.load(FEW_STEPS)['ema'].items()}
    args.folder.mkdir(parents=True, exist_ok=True)
    save_file(peft_names(adapters), args.folder / 'pytorch_lora_weights.safetensors', {'format': 'pt'})
    write_json(args.folder / 'scheduler' / 'scheduler_config.json', SCHEDULER_CONFIG)
    print(f'{(args.folder / "pytorch_lora_weights.safetensors").stat().st_size / 1e6:.1f} MB of adapters')


if __name__ == '__main__':
    main()
