#!/usr/bin/env bash
# The peers' own virtual environment, benchmarks/peers/.venv (about 6 GB, most of it PyTorch).
# Safe to run again: it fills in what is missing. PYTHON picks the interpreter (3.11).
set -euo pipefail
cd "$(dirname "$0")"

venv=.venv
[ -x "$venv/bin/pip" ] || "${PYTHON:-python3.11}" -m venv "$venv"
pip="$venv/bin/pip --disable-pip-version-check"

# gym and learn2learn are old source archives: they are built with these, not in isolation.
$pip install --quiet "setuptools==80.9.0" "wheel==0.45.1" "Cython==0.29.37"
$pip install --quiet --no-build-isolation -r requirements.txt

# The C in learn2learn's archive was generated for Python 3.9 and does not compile on 3.11:
# generate it anew from the .pyx beside it. --no-deps leaves out gsutil and other ballast.
if ! "$venv/bin/python" -c "import importlib.metadata as m; m.version('learn2learn')" 2>/dev/null; then
    rm -rf .build && mkdir .build
    $pip download --quiet --no-deps --no-build-isolation --no-binary learn2learn \
        --dest .build "learn2learn==0.2.0"
    tar -xzf .build/learn2learn-0.2.0.tar.gz -C .build
    source=.build/learn2learn-0.2.0
    "$venv/bin/cython" -3 --force "$source"/learn2learn/data/*.pyx
    $pip install --quiet --no-build-isolation --no-deps "$source"
    rm -rf .build
fi

"$venv/bin/python" -W ignore -c "import higher, learn2learn, torchopt"
touch "$venv/.ready"
