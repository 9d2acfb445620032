#!/bin/sh
# Everything from nothing to the model folder; started again, it goes on where it stopped.
# Minutes of each part: VAE, 128 px, 256 px, compression.
set -eu
cd "$(dirname "$0")/.."
VAE=${VAE:-20} LOW=${LOW:-40} HIGH=${HIGH:-25} COMPRESSED=${COMPRESSED:-7}
PICTURES_LOW=${PICTURES_LOW:-18000} PICTURES_HIGH=${PICTURES_HIGH:-7000}

# One thread a core; without these, freed memory goes back to the system at every step and is faulted in again.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(nproc)}"
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=100000000

[ -f training/runs/vae-final.pt ] || python -m training.train_vae --minutes "$VAE"
python -m training.cache --pixels 128 --count "$PICTURES_LOW"
python -m training.train_transformer --stage low --minutes "$LOW"
python -m training.cache --pixels 256 --count "$PICTURES_HIGH"
python -m training.train_transformer --stage high --minutes "$HIGH"
python -m training.train_transformer --stage compressed --minutes "$COMPRESSED"
python -m training.export --stage compressed
