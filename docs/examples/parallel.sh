#!/bin/sh
# Rows over several machines with GNU parallel. HOSTS is a list as `parallel --sshlogin` takes it: 8/alpha,8/beta
# ("at most 8 jobs on alpha"). Each machine has fennec, its configuration and its keys.
#   HOSTS=8/alpha,8/beta ./parallel.sh rows.ndjson > answers.ndjson
set -eu
exec parallel --pipe --block 256k --line-buffer --sshlogin "${HOSTS:?}" ${PARALLEL_OPTIONS:-} \
  "${FENNEC:-fennec} complete --input ndjson --json -q -j4" < "${1:?rows}"
