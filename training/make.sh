#!/bin/sh
# Everything from nothing to the model folder; started again, it goes on where it stopped.
# Minutes of computing on all cores of each part: VAE, text encoder, 128 px, 256 px, compression.
set -eu
cd "$(dirname "$0")/.."
VAE=${VAE:-40} TEXT=${TEXT:-4} LOW=${LOW:-300} HIGH=${HIGH:-120} COMPRESSED=${COMPRESSED:-20}
PICTURES_LOW=${PICTURES_LOW:-30000} PICTURES_HIGH=${PICTURES_HIGH:-10000}

# One thread a core; without these, freed memory goes back to the system at every step and is faulted in again.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(nproc)}"
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=100000000

python -m training.emoji
[ -f training/runs/vae-final.pt ] || python -u -m training.train_vae --minutes "$VAE" ${FROM_EXPORTED:+--from-exported}
[ -f training/runs/text.pt ] || python -u -m training.train_text --minutes "$TEXT"
python -u -m training.cache --pixels 128 --count "$PICTURES_LOW"
python -u -m training.train_transformer --stage low --minutes "$LOW"
python -u -m training.cache --pixels 256 --count "$PICTURES_HIGH"
python -u -m training.train_transformer --stage high --minutes "$HIGH"
python -u -m training.train_transformer --stage compressed --minutes "$COMPRESSED"
python -m training.export --stage compressed
