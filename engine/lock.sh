#!/bin/sh
# Resolves the Python requirements anew, with the hashes of every platform's files: what set-up installs on any Python it
# takes, and, for Python 3.11, what each job takes along, what an EMR cluster's nodes need and what the Spark image holds; then the
# images' jars. Needs uv (https://docs.astral.sh/uv/) and Maven (https://maven.apache.org/).
set -eu
cd "$(dirname "$0")/.."
lock() {
  uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version "$1" "$2.in" -o "$2.txt"
}
lock 3.10 engine/requirements
lock 3.10 tests/requirements
lock 3.10 tests/bench/requirements
for requirements in assets/jobs/*/requirements.in assets/nodes/emr/requirements.in assets/nodes/emr/jupyter/requirements.in \
  assets/images/spark/requirements.in assets/images/dashboard/requirements.in; do
  lock 3.11 "${requirements%.in}"
done
for folder in assets/images/spark assets/images/hdfs; do
  sh engine/lock-jars.sh "$folder"
done
