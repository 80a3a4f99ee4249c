#!/bin/sh
#SBATCH --job-name=fennec
#SBATCH --array=1-16
#SBATCH --cpus-per-task=1
#SBATCH --mem=256M
#SBATCH --requeue
# One part of the rows a task: `sbatch slurm.sh rows.ndjson answers`. A task that is sent again goes on where it stopped.
set -eu
rows=${1:?rows}; out=${2:?directory}
part=$SLURM_ARRAY_TASK_ID
mkdir -p "$out"
exec fennec complete --input ndjson --json -q -j16 \
  --shard "$part/${SLURM_ARRAY_TASK_COUNT:?}" --resume "$out/$part.ledger" --dead-letter "$out/$part.failed" \
  -o "$out/$part.ndjson" < "$rows"
