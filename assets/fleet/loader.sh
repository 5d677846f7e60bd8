#!/bin/bash
# Starts a machine of a fleet, at its first boot: brings what it is told and what it runs from the lake, by hash. node.py does the rest.
set -Eeuo pipefail
umask 022
export AWS_REGION={{region}} AWS_DEFAULT_REGION={{region}}
lake=s3://{{bucket}}
fail() {
  aws s3 cp --only-show-errors /var/log/cloud-init-output.log "$lake/{{boot}}/$(cat /var/lib/cloud/data/instance-id).log" || true
}
trap fail ERR
: >/etc/dnf/vars/dualstack
# The endpoint may come up after us, and images for GPUs have repositories that no endpoint leads to.
for attempt in 1 2 3 4 5 6; do
  if dnf install -y -q --disablerepo='*' --enablerepo=amazonlinux {{packages}}; then break; fi
  [ "$attempt" -lt 6 ]
  sleep 10
done
bring() {
  mkdir -p "$(dirname "$3")"
  aws s3 cp --only-show-errors "$lake/$1" "$3"
  echo "$2  $3" | sha256sum --check --quiet
}
bring {{config}} {{configDigest}} /etc/oneoff/node.json
bring {{installer}} {{installerDigest}} /opt/oneoff/software.py
python3.11 -I /opt/oneoff/software.py install --manifest {{manifest}} --bucket {{bucket}} {{parts}}
/opt/oneoff/python/bin/python /opt/oneoff/scripts/fleet/node.py
