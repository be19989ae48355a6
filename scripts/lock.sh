#!/bin/sh
# Write requirements.lock from the environment in .venv: every package at its version. CUDA packages
# are left out: torch brings its own on a machine with a GPU. What requirements-nodeps.lock names
# stays there.
set -eu
cd "$(dirname "$0")/.."
{
  echo "# Written by scripts/lock.sh. torch decides about CUDA by itself: no CUDA package is listed."
  .venv/bin/python -m pip list --format freeze --exclude-editable --exclude pip |
    sed -e 's/+cpu$//' | grep -v -i -E '^(nvidia|cuda|triton|inspect_ai==|botocore==)'
} > requirements.lock
