#!/bin/sh
# onnx_python.sh FOLDER: makes a virtual environment there that has onnxruntime, for tests/e2e/test_onnx.py, and prints its
# interpreter. Exit code 1 if PyPI cannot be reached. $PYTHON: another interpreter than Debian's to make it of.
set -eu
[ $# -eq 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
"${PYTHON:-/usr/bin/python3}" -m venv "$folder" >&2
# What is there already is not asked for again.
"$folder/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 >&2
"$folder/bin/python" -c "import onnx, onnxruntime"
echo "$folder/bin/python"
