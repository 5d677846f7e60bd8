#!/bin/bash
# Brings the dashboard to the release that the lake names, once a minute:
#
#   s3://BUCKET/PREFIX/current    the digest of the release to run
#   s3://BUCKET/PREFIX/DIGEST/    its files: index.mjs, config.json, page/
#
# A release is there whole or not at all. One that does not answer is taken back and not tried again, unless there is
# none to go back to. Where things are comes from the environment: /etc/oneoff-dashboard.env.
set -euo pipefail

source=${ONEOFF_SOURCE:?}
url=http://127.0.0.1:${ONEOFF_PORT:?}/api/identity
home=${ONEOFF_HOME:-/opt/oneoff-dashboard}
service=${ONEOFF_SERVICE:-oneoff-dashboard.service}
patience=${ONEOFF_PATIENCE:-30} # seconds that a release has to answer
releases=$home/releases

say() { echo "update: $*"; }

# Whoever else is at it finishes first; a minute later it is our turn.
mkdir -p "$releases"
exec 9>"$home/lock"
flock --nonblock 9 || exit 0

# What is half done, by us or by one that was killed.
clean() { rm -rf "$releases"/*.new "$home"/*.new; }
clean
trap clean EXIT

# Points `current` at a release in one move, and starts it. Whether it started is seen by whether it answers.
switch_to() {
  ln -s "releases/$1" "$home/current.new"
  mv -T "$home/current.new" "$home/current"
  systemctl restart "$service" || true
}

answers() {
  local end=$((SECONDS + patience))
  while [ "$SECONDS" -lt "$end" ]; do
    if curl -sSf -m 5 "$url" 2>/dev/null | grep -q '"oneoff-dashboard"'; then return 0; fi
    sleep 1
  done
  return 1
}

fetch() {
  [ ! -d "$releases/$1" ] || return 0
  local new=$releases/$1.new
  aws s3 cp --recursive --only-show-errors "$source/$1/" "$new/"
  local file
  for file in index.mjs config.json page/index.html; do
    if [ ! -s "$new/$file" ]; then
      say "release $1 lacks $file; keeping what there is" >&2
      return 1
    fi
  done
  chmod -R u=rwX,go=rX "$new"
  mv -T "$new" "$releases/$1"
}

wanted=$(aws s3 cp --only-show-errors "$source/current" - | tr -d '[:space:]')
if [[ ! $wanted =~ ^[0-9a-z]{6,64}$ ]]; then
  say "$source/current is \"$wanted\", which is no digest" >&2
  exit 1
fi
current=$(basename "$(readlink "$home/current" || true)")
good=$(cat "$home/good" 2>/dev/null || true) # the last that answered
bad=$(cat "$home/bad" 2>/dev/null || true)   # the last that did not
if [ "$wanted" = "$bad" ]; then exit 0; fi
# The two differ where we were killed while we switched.
if [ "$wanted" = "$current" ] && [ "$wanted" = "$good" ]; then exit 0; fi

fetch "$wanted"
say "starting release $wanted"
switch_to "$wanted"
if answers; then
  say "release $wanted runs"
  echo "$wanted" >"$home/good"
elif [ -n "$good" ] && [ "$good" != "$wanted" ]; then
  say "release $wanted did not answer within $patience s; going back to $good" >&2
  switch_to "$good"
  echo "$wanted" >"$home/bad"
  rm -rf "${releases:?}/$wanted"
  exit 1
else
  say "release $wanted does not answer yet, and there is no other" >&2
  exit 1
fi

# The one before stays, to go back to without a download.
for release in "$releases"/*; do
  case ${release##*/} in
  "$wanted" | "$good") ;;
  *) rm -rf "$release" ;;
  esac
done
