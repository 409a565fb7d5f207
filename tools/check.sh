#!/bin/sh
# Configures, builds with warnings as errors, and runs every test. The last lines are ctest's summary. Under CI
# (environment variable CI) a skipped test is a failure: everything that tests need, such as the software Vulkan driver
# and PyTorch, is installed from packages.
set -eu
cd "$(dirname "$0")/.."
sh tools/setup.sh ${CI:+python3-torch python3-torchvision python3-pil python3-sklearn python3-numpy python3-cffi python3-venv libheif-examples
    mandoc zsh fish chromium tidy}
# onnxruntime is no package of Debian's. Where PyPI cannot be reached the test against it, and no other, may be skipped.
onnx='' may_skip=''
if [ -n "${CI-}" ]; then
    onnx=$(sh tools/onnx_python.sh build-check/onnx) || may_skip=e2e_onnx
fi
[ -z "$may_skip" ] || echo "check: $may_skip is skipped: onnxruntime could not be had from PyPI" >&2
# The packages are for Debian's Python, which need not be the first one in the path.
cmake --preset check ${CI:+-DADATOM_PYTHON=/usr/bin/python3 "-DADATOM_ONNX_PYTHON=$onnx"}
cmake --build --preset check
log=build-check/ctest.log
# Tests run side by side, so that OpenMP's threads must not spin while they wait.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY-passive}"
status=0
ctest --preset check --parallel "$(nproc)" --output-log "$log" || status=$?
if [ -n "${CI-}" ] && grep '\*\*\*Skipped' "$log" | grep -qv " ${may_skip:-none} "; then status=1; fi
exit "$status"
