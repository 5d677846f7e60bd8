#!/bin/bash
# JupyterLab on the primary node of a cluster, for that node only:
#
#   jupyter.sh start s3://BUCKET/_jupyter/RUN    starts it, and again whenever it ends
#   jupyter.sh kernel CONNECTION-FILE            is how it starts a notebook's Python
#
# It listens on 127.0.0.1:8888, where a port forward of SSM ends. Its token is made here and put to the given address:
# who may read that may log in.
set -euo pipefail

root=${ONEOFF_ROOT:-/opt/oneoff}
home=$root/jupyter
venv=$root/venv/jupyter

# The environment of the notebooks' tasks: the first one of the job, else the recorder's.
job_venv() {
  local candidate
  for candidate in "$root"/venv/*; do
    case ${candidate##*/} in
    jupyter | recorder) ;;
    *)
      echo "$candidate"
      return
      ;;
    esac
  done
  echo "$root/venv/recorder"
}

add_kernel() {
  local job
  job=$(job_venv)
  # The notebooks find the job's modules too, after those that JupyterLab needs.
  echo "$job"/lib/python3*/site-packages >"$(echo "$venv"/lib/python3*/site-packages)/oneoff-job.pth"
  mkdir -p "$venv/share/jupyter/kernels/pyspark"
  cat >"$venv/share/jupyter/kernels/pyspark/kernel.json" <<EOF
{
  "argv": ["bash", "$root/code/emr/jupyter.sh", "kernel", "{connection_file}"],
  "env": { "ONEOFF_ROOT": "$root", "PYSPARK_PYTHON": "$job/bin/python" },
  "display_name": "PySpark",
  "language": "python"
}
EOF
}

# An idle notebook's Spark application would keep the cluster from ever being idle, so it is ended.
add_service() {
  local notebooks=$HOME/notebooks units=${ONEOFF_UNITS:-/etc/systemd/system}
  mkdir -p "$notebooks"
  sudo tee "$units/oneoff-jupyter.service" >/dev/null <<EOF
[Unit]
Description=JupyterLab of the cluster
After=network.target

[Service]
User=$(id -un)
WorkingDirectory=$notebooks
Environment=JUPYTER_TOKEN_FILE=$home/token
ExecStart=$venv/bin/jupyter-lab --no-browser --ServerApp.ip=127.0.0.1 --ServerApp.port=8888 --ServerApp.port_retries=0 \\
  --ServerApp.root_dir=$notebooks --MultiKernelManager.default_kernel_name=pyspark \\
  --MappingKernelManager.cull_idle_timeout=1800 --MappingKernelManager.cull_connected=True
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
EOF
  sudo systemctl daemon-reload
  sudo systemctl enable --now --quiet oneoff-jupyter.service
}

start() {
  mkdir -p "$home"
  if [ ! -s "$home/token" ]; then
    (umask 077 && "$venv/bin/python" -c 'import secrets; print(secrets.token_hex(24), end="")' >"$home/token")
  fi
  add_kernel
  add_service
  aws s3 cp --only-show-errors - "$1" <"$home/token"
}

# JupyterLab is there before Spark is, so Spark is looked for only here.
kernel() {
  export SPARK_HOME=${SPARK_HOME:-/usr/lib/spark}
  local py4j
  py4j=$(echo "$SPARK_HOME"/python/lib/py4j-*-src.zip)
  if [ ! -f "$py4j" ]; then
    echo "Spark is not in $SPARK_HOME yet: wait until the cluster is ready, then restart the kernel" >&2
    exit 1
  fi
  export PYTHONPATH=$SPARK_HOME/python:$py4j${PYTHONPATH:+:$PYTHONPATH}
  if [ -s "$root/region" ]; then
    AWS_REGION=$(cat "$root/region")
    export AWS_REGION AWS_DEFAULT_REGION=$AWS_REGION
  fi
  exec "$venv/bin/python" -m ipykernel_launcher -f "$1"
}

case ${1:-} in
start | kernel) "$1" "${2:?}" ;;
*)
  echo "jupyter.sh: \"${1:-}\" is neither start nor kernel" >&2
  exit 2
  ;;
esac
