#!/bin/bash
# Sets up a node of a Dataproc cluster. As an initialization action it runs as root on each node, also on those that the
# cluster gets later, and has no arguments; what to set up is said by attributes of the node:
#
#   oneoff-code    gs://BUCKET/_code/DIGEST
#   oneoff-venvs   NAME=gs://BUCKET/_wheels/DIGEST, once per environment, with blanks between
#
# The code goes to /opt/oneoff/code, and each NAME becomes a Python 3.11 environment, /opt/oneoff/venv/NAME, of the wheels
# and the requirements.txt of its folder. "recorder" is what step.py runs with. Run again, it does what is missing.
#
# Images 2.2 and 2.3 have Python 3.11 twice, Conda's and Debian's, of which one may lack pip and the other may be
# elsewhere. Nothing is downloaded but what is in BUCKET.
set -euo pipefail
umask 022 # YARN's containers run as another user

root=${ONEOFF_ROOT:-/opt/oneoff}
pythons=${ONEOFF_PYTHONS:-/opt/conda/default/bin/python /opt/conda/miniconda3/bin/python /usr/bin/python3.11 python3}
patience=${ONEOFF_PATIENCE:-420} # seconds, within what Dataproc gives this script (components/gcp/dataproc/config.ts)
complete=staged.json              # what the orchestrator puts beside wheels last
phase="starting"
reason=""
wheels=""

finish() {
  local code=$?
  if [ -n "$wheels" ]; then rm -rf "$wheels"; fi
  if [ "$code" -ne 0 ]; then
    echo "init: error: $phase failed: ${reason:-exit code $code, the lines above say why}" >&2
  fi
}
trap finish EXIT

fail() {
  reason=$*
  exit 1
}

# Runs a phase and says how long it took.
run() {
  phase=$1
  shift
  local start=$SECONDS
  "$@"
  echo "init: $phase: $((SECONDS - start)) s"
}

attribute() {
  local service=http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1
  curl -sSf -m 5 --retry 3 -H "Metadata-Flavor: Google" "$service/instance/attributes/$1"
}

code="" venvs=()
read_attributes() {
  local name
  code=$(attribute oneoff-code) || fail "the node has no attribute oneoff-code, or its metadata server does not answer"
  [[ $code == gs://*/* ]] || fail "attribute oneoff-code: \"$code\" is not gs://BUCKET/KEY"
  name=$(attribute oneoff-venvs) || fail "the node has no attribute oneoff-venvs, or its metadata server does not answer"
  read -ra venvs <<<"$name"
  for name in ${venvs[@]+"${venvs[@]}"}; do
    [[ $name =~ ^[a-z][a-z0-9-]*=gs://.+/.+ ]] || fail "attribute oneoff-venvs: \"$name\" is not NAME=gs://BUCKET/KEY"
  done
}

# The environments are of one Python and may be filled by the pip of another.
python="" with_pip=""
find_python() {
  local candidate
  for candidate in $pythons; do
    candidate=$(command -v "$candidate") || continue
    if [ -z "$python" ] && "$candidate" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      python=$candidate
    fi
    # Before version 22.3 pip fills no environment but its own.
    if [ -z "$with_pip" ] && "$candidate" -m pip --python "$candidate" --version >/dev/null 2>&1; then
      with_pip=$candidate
    fi
  done
  [ -n "$python" ] || fail "none of $pythons is Python 3.11 with the module venv; choose a Dataproc image 2.2 or 2.3"
  [ -n "$with_pip" ] || fail "none of $pythons has pip 22.3 or newer; choose a Dataproc image 2.2 or 2.3"
}

new_venv() {
  "$python" -m venv --without-pip "$1"
  pip=("$with_pip" -m pip --python "$1/bin/python")
}

# A folder that is not there is no error to either program, so a file that must be there is named. It may be on its way:
# while a cluster is made, the orchestrator still fetches the wheels.
copy() {
  local from=$1 to=$2 must=$3
  mkdir -p "$to"
  until [ -s "$to/$must" ]; do
    if command -v gcloud >/dev/null; then
      gcloud storage rsync --recursive --no-user-output-enabled "$from" "$to"
    elif command -v gsutil >/dev/null; then
      gsutil -q -m rsync -r "$from" "$to"
    else
      fail "the node has neither gcloud nor gsutil"
    fi
    if [ -s "$to/$must" ]; then return; fi
    [ "$SECONDS" -lt "$patience" ] || fail "$from/$must is missing after $SECONDS s; the orchestrator's log may say why"
    sleep 3
  done
}

copy_code() {
  rm -rf "$root/code.new"
  copy "$1" "$root/code.new" node/step.py
  rm -rf "$root/code"
  mv "$root/code.new" "$root/code"
}

run "reading the node's attributes" read_attributes
run "finding Python 3.11" find_python
run "copying the code" copy_code "$code"
# shellcheck source=assets/steps/venv.sh
. "$root/code/node/venv.sh"
for venv in ${venvs[@]+"${venvs[@]}"}; do
  run "making environment ${venv%%=*}" make_venv "${venv%%=*}" "${venv#*=}"
done
echo "init: ready after $SECONDS s"
