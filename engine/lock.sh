#!/bin/sh
# Resolves the Python requirements anew, with the hashes of every platform's files: what set-up installs on any Python it
# takes, and what each job takes along, for Python 3.11. Needs uv (https://docs.astral.sh/uv/).
set -eu
cd "$(dirname "$0")/.."
lock() {
  uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version "$1" "$2.in" -o "$2.txt"
}
lock 3.10 engine/requirements
for requirements in assets/jobs/*/requirements.in; do lock 3.11 "${requirements%.in}"; done
