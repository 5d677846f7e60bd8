#!/bin/bash
# As the official image's: runs what it is given, or mongo-express once its server's port is open.
set -eo pipefail
if [ "${1:-}" != mongo-express ]; then exec "$@"; fi
server=${ME_CONFIG_MONGODB_URL#*://}
server=${server#*@}
server=${server%%/*}
for ((tries = ${ME_CONFIG_CONNECT_RETRIES:-10}; tries > 0; tries--)); do
  if (exec 6<>"/dev/tcp/${server%:*}/${server##*:}") 2>/dev/null; then break; fi
  echo "waiting for $server"
  sleep 1
done
exec node node_modules/mongo-express/app.js
