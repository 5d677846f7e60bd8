#!/bin/sh
# Resolves the Python requirements anew, with the hashes of every platform's files: what set-up installs on any Python it
# takes, and, for Python 3.11, what each job takes along and what an EMR cluster's nodes need. Needs uv (https://docs.astral.sh/uv/).
set -eu
cd "$(dirname "$0")/.."
lock() {
  uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version "$1" "$2.in" -o "$2.txt"
}
lock 3.10 engine/requirements
lock 3.10 tests/requirements
lock 3.10 tests/bench/requirements
for requirements in assets/jobs/*/requirements.in assets/emr/requirements.in assets/emr/jupyter/requirements.in; do
  lock 3.11 "${requirements%.in}"
done
