#!/bin/sh
# Makes the images that stand in for the official ones of MongoDB and mongo-express in tests, on the base that
# base-image.sh makes: oneoff-test/mongo:dev (FerretDB) and oneoff-test/mongo-express:dev (the real one, from npm).
#
#   sh tests/swarm/stand-ins.sh [BASE]
#
# Wants go, npm and docker. Does nothing for an image that was made of the same files already.
set -eu
cd "$(dirname "$0")"
base=${1:-oneoff-test/debian:bookworm}
base_id=$(docker image inspect --format '{{.Id}}' "$base")
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# Whether an image has still to be made of the files of a folder.
wanted() {
  made_from=$( (echo "$base_id"; cat stand-ins.sh "$2"/*) | sha256sum | cut -c 1-16)
  label=$(docker image inspect --format '{{index .Config.Labels "oneoff.made-from"}}' "$1" 2>&1 || true)
  if [ "$label" = "$made_from" ]; then
    echo "$1 is there already"
    return 1
  fi
}

# On the host's network: the engine of a test has no bridge.
build() {
  docker build --quiet --network host --build-arg "BASE=$base" --label "oneoff.made-from=$made_from" --tag "$1" "$context/$2"
}

if wanted oneoff-test/mongo:dev ferretdb; then
  mkdir "$context/ferretdb"
  cp ferretdb/Dockerfile "$context/ferretdb/"
  (cd ferretdb && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$context/ferretdb/oneoff-test-mongo" .)
  build oneoff-test/mongo:dev ferretdb
fi
if wanted oneoff-test/mongo-express:dev mongo-express; then
  cp -R mongo-express "$context/"
  npm ci --prefix "$context/mongo-express" --ignore-scripts --omit optional --omit dev --no-audit --no-fund --silent
  build oneoff-test/mongo-express:dev mongo-express
fi
