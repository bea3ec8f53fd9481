#!/usr/bin/env bash
# fewstep beside its peers: `benchmarks/peers/run.sh [--quick] [--rounds N] [--only ROW ...]`.
# Sets up benchmarks/peers/.venv first if it is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ -f benchmarks/peers/.venv/.ready ] || benchmarks/peers/setup.sh
PYTHONPATH=src:benchmarks exec benchmarks/peers/.venv/bin/python -W ignore -m peers.run "$@"
