#!/bin/sh
# Makes the base that the images are built on where Docker Hub can't be reached: a minimal Debian bookworm by debootstrap,
# without what debian:bookworm-slim lacks too, and with the certificate authorities that this machine trusts. Runs as root.
#
#   sh tests/swarm/base-image.sh [--again] [IMAGE]
#
# Does nothing when IMAGE is there already, made by this script on this machine's authorities. The tree is kept in the user's
# cache, which tests/cache.ts names too; --again makes it anew, with the packages of today.
set -eu
cd "$(dirname "$0")/../.."
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-oneoff/tests
tree=$cache/debian
authorities=/etc/ssl/certs/ca-certificates.crt

# One at a time, of all checkouts.
mkdir -p "$cache"
exec 9> "$cache/debian.lock"
flock 9

if [ "${1:-}" = --again ]; then
  rm -rf "$tree"
  shift
fi
image=${1:-oneoff-test/debian:bookworm}
made_from=$(cat tests/swarm/base-image.sh "$authorities" | sha256sum | cut -c 1-16)

found=$(docker image inspect --format '{{index .Config.Labels "oneoff.made-from"}}' "$image" 2> /dev/null) || found=none

if [ -d "$tree" ] && [ "$found" = "$made_from" ]; then
  echo "$image is there already"
  exit 0
fi

# Half a tree is never taken for a whole one.
if [ ! -d "$tree" ]; then
  rm -rf "$tree.new"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$tree.new" "$mirror" > "$tree.log" ||
    { echo "debootstrap failed: see $tree.log" >&2; exit 1; }
  mv "$tree.new" "$tree"
fi

# One file per certificate, so that Java's store, which Debian fills from these, has them too.
trusted=$tree/usr/local/share/ca-certificates
rm -f "$trusted"/*
awk -v folder="$trusted" '/BEGIN CERTIFICATE/ { n++ } n { print > sprintf("%s/host-%03d.crt", folder, n) }' "$authorities"
chroot "$tree" update-ca-certificates > /dev/null 2>&1

# As debian:bookworm-slim: what dpkg leaves out from now on, and what is left out here.
cat > "$tree/etc/dpkg/dpkg.cfg.d/docker" <<'DPKG'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
force-unsafe-io
DPKG
cat > "$tree/etc/apt/sources.list" <<SOURCES
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb ${mirror%/}-security bookworm-security main
SOURCES

# Compiling as for long runs would be half of what Spark does in a test.
tar --create --directory "$tree" --numeric-owner --one-file-system \
  --exclude './usr/share/doc/*' --exclude './usr/share/info/*' --exclude './usr/share/locale/*' --exclude './usr/share/man/*' \
  --exclude './var/cache/apt/*' --exclude './var/lib/apt/lists/*' --exclude './var/log/*' --exclude './dev/*' . |
  docker import --change "LABEL oneoff.made-from=$made_from" --change 'CMD ["bash"]' \
    --change 'ENV JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1' - "$image"
