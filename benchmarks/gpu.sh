#!/usr/bin/env bash
# Runs the tests and the benchmarks on the GPU of this machine and appends the figures to benchmarks/RESULTS.md.
#
# It needs a Python with JAX for this GPU (PYTHON=python3 by default) and the packages below. On a machine without a
# network, download their wheels elsewhere (it says how) and name the folder: WHEELS=folder benchmarks/gpu.sh
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

skip() {
    echo "skipped: $*"
    exit 0
}

"$python" -c 'import jax' 2>/dev/null || skip "$python has no JAX; install hepgrad with its extra 'cuda'"
"$python" -c 'import jax; jax.devices("gpu")' 2>/dev/null || skip "JAX finds no GPU here"

needed="awkward hist hypothesis mplhep numpy optax pyhf pytest rich scipy uproot"
missing=""
for package in $needed; do
    "$python" -c "import $package" 2>/dev/null || missing="$missing $package"
done
if [ -n "$missing" ] && [ -n "${WHEELS:-}" ]; then
    "$python" -m pip install --quiet --no-index --find-links "$WHEELS" $missing
elif [ -n "$missing" ]; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    skip "$python lacks$missing; where there is a network, run
  pip download --dest wheels --python-version $version --only-binary=:all:$missing
then bring the folder here and run it again with WHEELS=wheels"
fi

# the three folders as one package, without installing anything
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
mkdir "$packages/hepgrad"
ln -s "$PWD/ragged" "$PWD/analysis" "$PWD/workflows" "$packages/hepgrad/"
export PYTHONPATH="$packages${PYTHONPATH:+:$PYTHONPATH}"

"$python" -m pytest -q tests/ragged tests/analysis
for benchmark in gradient_step histogram ragged_ops; do
    "$python" -m benchmarks "$benchmark" --size full --append benchmarks/RESULTS.md
done
