#!/bin/sh
# What a node of a fleet looks like to the scripts that it runs: accounts, homes, processes and sshd of its own. Runs as root, in
# namespaces of its own (`unshare --mount --pid --fork --kill-child --mount-proc`), until its input ends; then nothing is left.
#
#   node.sh ASSETS OPENSSH PORT [JUPYTER]    JUPYTER is /mnt/jupyter then, for all users
set -eu
assets=$1 openssh=$2 port=$3 jupyter=${4:-}

mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/openssh /mnt/jupyter /mnt/changed /mnt/work
mount --bind "$openssh" /mnt/openssh
if [ "$jupyter" ]; then
  # The cache's own folder is its owner's alone.
  mount -t overlay -o "lowerdir=$jupyter,upperdir=/mnt/changed,workdir=/mnt/work" overlay /mnt/jupyter
  chmod 755 /mnt/jupyter
fi
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
for folder in /home /opt /run /var/lib; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done

# What is installed on a node.
mkdir -p /opt/oneoff/scripts/fleet /var/lib/oneoff /run/sshd /var/lib/sshd /etc/ssh/sshd_config.d
cp "$assets"/*.py /opt/oneoff/scripts/fleet
cp "$assets/sshd.conf" /etc/ssh/sshd_config.d/10-oneoff.conf
echo "PermitOpen 127.0.0.1:$((port + 1))" > /etc/ssh/sshd_config.d/00-oneoff-pages.conf
for name in sshd oneoff-keys; do
  getent passwd "$name" > /dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin "$name"
done

# What there is of sshd in Amazon's images too.
if [ -e "$openssh/etc/pam.d/sshd" ]; then cp "$openssh/etc/pam.d/sshd" /etc/pam.d/sshd; fi
ssh-keygen -q -t ed25519 -N '' -f /var/lib/sshd/key
cat > /var/lib/sshd/config <<CONFIG
Include /etc/ssh/sshd_config.d/*.conf
ListenAddress 127.0.0.1
Port $port
HostKey /var/lib/sshd/key
PidFile none
UsePAM yes
PasswordAuthentication yes
AllowTcpForwarding yes
X11Forwarding yes
CONFIG
export LD_LIBRARY_PATH="/mnt/openssh/lib/x86_64-linux-gnu:/mnt/openssh/usr/lib/x86_64-linux-gnu"
/mnt/openssh/usr/sbin/sshd -D -e -f /var/lib/sshd/config &
cat > /dev/null
