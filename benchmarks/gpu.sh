#!/usr/bin/env bash
# One command for a machine with a GPU: are the results right there, and how fast is it? It takes at most eight minutes, and
# appends the figures to benchmarks/RESULTS.md.
#
# It needs a Python with JAX for this GPU (PYTHON=python3 by default) and the packages below, but no network. Without them
# it says which wheels to bring; with them in a folder: WHEELS=folder benchmarks/gpu.sh
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
# seconds for all of it, and for the tests
total=480
tests=200
started=$SECONDS

skip() {
    echo "skipped: $*"
    exit 0
}

"$python" -c 'import jax' 2>/dev/null || skip "$python has no JAX; install hepgrad with its extra 'cuda'"
"$python" -c 'import jax; jax.devices("gpu")' 2>/dev/null || skip "JAX finds no GPU here"
"$python" - <<'VERSION' || skip "this version of jaxlib is not for GPUs; take 0.11.1 or newer, or 0.10.1"
from importlib.metadata import version

numbers = tuple(int(part) for part in version("jaxlib").split(".")[:3])
raise SystemExit((0, 10, 2) <= numbers < (0, 11, 1))
VERSION

needed="awkward cabinetry fsspec hist hypothesis jsonpatch lazy_loader matplotlib mplhep numpy optax pyhf pytest rich scipy shtab tomli_w uhi uproot"
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

# sums, derivatives and histograms are what differs most on a GPU
chosen="tests/analysis/histogram/test_hard.py tests/analysis/histogram/test_soft.py tests/analysis/parameters/test_edges.py
tests/analysis/test_analysis.py tests/analysis/systematics"
timeout "$tests" "$python" -m pytest -q -x -p no:cacheprovider $chosen || [ $? -eq 124 ]

left() { echo $((total - (SECONDS - started))); }
for benchmark in "gradient_step --size full" "ragged_ops --size quick" "adl --size quick"; do
    timeout "$(left)" "$python" -m benchmarks $benchmark --append benchmarks/RESULTS.md || echo "$benchmark did not finish"
done
timeout "$(left)" "$python" - <<'MEMORY' | tee -a benchmarks/RESULTS.md
import jax

from benchmarks import gradient_step

data = gradient_step.columns(10_000_000)
jax.block_until_ready(gradient_step.value_and_gradient(gradient_step.CUTS, gradient_step.dataset(data)))
peak = jax.devices()[0].memory_stats()["peak_bytes_in_use"]
print(f"\nMemory of a gradient step with 10,000,000 events: {peak / data.bytes:.1f} times the columns ({peak / 2**30:.1f} GiB).")
MEMORY
