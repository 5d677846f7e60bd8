#!/bin/bash
# Sets the dashboard's instance up at its first boot: Amazon Linux 2023 with AWS CLI 2 and the SSM agent on it.
set -euo pipefail
umask 022

# The network may come up after us. nodejs22 has the program /usr/bin/node-22
# (https://docs.aws.amazon.com/linux/al2023/ug/nodejs.html).
for attempt in 1 2 3 4 5 6; do
  if dnf install -y -q nodejs22; then break; fi
  if [ "$attempt" = 6 ]; then exit 1; fi
  sleep 10
done

id oneoff-dashboard >/dev/null 2>&1 ||
  useradd --system --no-create-home --home-dir /nonexistent --shell /sbin/nologin oneoff-dashboard
mkdir -p /opt/oneoff-dashboard/releases

cat >/etc/oneoff-dashboard.env <<'END_OF_FILE'
AWS_REGION={{region}}
ONEOFF_SOURCE=s3://{{bucket}}/{{prefix}}
ONEOFF_PORT={{port}}
END_OF_FILE

{{files}}

chmod 755 /opt/oneoff-dashboard/update.sh
systemctl daemon-reload
systemctl enable --quiet oneoff-dashboard.service
systemctl enable --quiet --now oneoff-dashboard-update.timer
