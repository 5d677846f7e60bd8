#!/bin/bash
# Sets up a node of an EMR cluster, before EMR installs Spark on it:
#
#   bootstrap.sh s3://BUCKET/_code/DIGEST NAME=s3://BUCKET/_wheels/DIGEST ... [--jupyter RUN]
#
# The code goes to /opt/oneoff/code, and each NAME becomes a Python 3.11 environment, /opt/oneoff/venv/NAME, of the wheels
# and the requirements.txt of its folder. "recorder" is what step.py runs with. The NAME "jupyter" and --jupyter count on
# the primary node only: JupyterLab runs there. Run again, it does what is missing.
#
# EMR 7 is Amazon Linux 2023 with Python 3.9 and AWS CLI 2; Python 3.11 and the SSM agent are packages of its repository,
# which is in S3 in the region (https://docs.aws.amazon.com/linux/al2023/ug/python.html). Nothing else is downloaded but
# what is in BUCKET.
set -euo pipefail
umask 022 # YARN's containers run as another user

root=${ONEOFF_ROOT:-/opt/oneoff}
instance=${ONEOFF_INSTANCE:-/mnt/var/lib/info/instance.json}
phase="reading its arguments"
reason=""
wheels=""
complete=requirements.txt # the launcher fetched the wheels beside it before it rented the cluster

finish() {
  local code=$?
  if [ -n "$wheels" ]; then rm -rf "$wheels"; fi
  if [ "$code" -ne 0 ]; then
    echo "bootstrap: error: $phase failed: ${reason:-exit code $code, the lines above say why}" >&2
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
  echo "bootstrap: $phase: $((SECONDS - start)) s"
}

metadata() {
  local service=http://169.254.169.254/latest token
  token=$(curl -sSf -m 5 --retry 3 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$service/api/token") || return
  curl -sSf -m 5 --retry 3 -H "X-aws-ec2-metadata-token: $token" "$service/meta-data/$1"
}

# Where S3 is asked: the endpoint of the region is all that a private subnet reaches.
find_region() {
  AWS_REGION=${AWS_REGION:-$(metadata placement/region)}
  export AWS_REGION AWS_DEFAULT_REGION=$AWS_REGION
  sudo mkdir -p "$root"
  sudo chown "$(id -un)" "$root"
  echo "$AWS_REGION" >"$root/region"
}

install_python() {
  command -v python3.11 >/dev/null || sudo dnf install -y -q python3.11 python3.11-pip
}

# `aws s3 cp` succeeds where there is nothing to copy, so a file that must be there is named.
copy() {
  local from=$1 to=$2 must=$3
  aws s3 cp --recursive --only-show-errors "$from/" "$to/"
  [ -s "$to/$must" ] || fail "$from/$must is missing"
}

copy_code() {
  rm -rf "$root/code.new"
  copy "$1" "$root/code.new" emr/step.py
  rm -rf "$root/code"
  mv "$root/code.new" "$root/code"
}

new_venv() {
  python3.11 -m venv "$1"
  pip=("$1/bin/python" -m pip)
}

# EMR's image is said to have the agent, by which its user reaches a node; that it runs is not said.
start_agent() {
  { rpm -q amazon-ssm-agent >/dev/null 2>&1 || sudo dnf install -y -q amazon-ssm-agent; } &&
    sudo systemctl enable --now amazon-ssm-agent
}

is_primary() {
  grep -Eq '"isMaster" *: *true' "$instance"
}

code="" venvs=() jupyter=""
while [ $# -gt 0 ]; do
  if [ "$1" = --jupyter ]; then
    [ $# -gt 1 ] || fail "--jupyter needs the id of the run"
    jupyter=$2
    shift
  elif [[ $1 =~ ^[a-z][a-z0-9-]*=s3://.+/.+ ]]; then
    venvs+=("$1")
  elif [ -z "$code" ] && [[ $1 == s3://*/* ]]; then
    code=$1
  else
    fail "\"$1\" is not NAME=s3://BUCKET/KEY"
  fi
  shift
done
[ -n "$code" ] || fail "there is no address of a code folder, s3://BUCKET/KEY"

run "finding the region" find_region
run "installing Python 3.11" install_python
run "copying the code" copy_code "$code"
# shellcheck source=assets/steps/venv.sh
. "$root/code/emr/venv.sh"
for venv in ${venvs[@]+"${venvs[@]}"}; do
  if [ "${venv%%=*}" = jupyter ] && ! is_primary; then continue; fi
  run "making environment ${venv%%=*}" make_venv "${venv%%=*}" "${venv#*=}"
done
start_agent || echo "bootstrap: no SSM agent: oneoff open --ui will not reach this node"
if [ -n "$jupyter" ] && is_primary; then
  bucket=${code#s3://}
  run "starting JupyterLab" bash "$root/code/emr/jupyter.sh" start "s3://${bucket%%/*}/_jupyter/$jupyter"
fi
echo "bootstrap: ready after $SECONDS s"
