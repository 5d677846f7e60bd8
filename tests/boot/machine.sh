#!/bin/sh
# Becomes a machine: box.py says where, with which address, with which user data, with which of Debian's programs beside this one's
# (folders with blanks between), and what lies at /opt/oneoff (NAME=FOLDER).
set -eu
place=$1 lake=$2 address=$3 user_data=$4 debian=$5
shift 5
here=$(dirname "$0")
read -r card
hostname "$(basename "$place")"
ip link set lo up
ip link set "$card" up
ip addr add "$address/20" dev "$card"
# EC2's metadata service is at this address on every machine.
ip addr add 169.254.169.254/32 dev lo

root=$place/root
mkdir -p "$root" "$place/changes" "$place/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/changes,workdir=$place/work" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  name=${node%%:*} numbers=${node#*:}
  mknod -m 666 "$root/dev/$name" c "${numbers%:*}" "${numbers#*:}"
done
ln -s /proc/self/fd "$root/dev/fd"
mknod "$root/dev/loop-control" c 10 237
for loop in $(seq 0 31); do mknod "$root/dev/loop$loop" b 7 "$loop"; done
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/lake" "$root/opt/oneoff" "$root/etc/dnf/vars" "$root/var/lib/cloud/data"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
truncate -s 4G "$root/dev/sdf"
mount --bind "$lake" "$root/lake"
# What a machine has of this one's user is only that which is put here.
for each in "$@"; do
  name=${each%%=*}
  mkdir -p "$root/opt/oneoff/$name" "$place/software/$name" "$place/software/work-$name"
  mount -t overlay -o "lowerdir=${each#*=},upperdir=$place/software/$name,workdir=$place/software/work-$name" overlay \
    "$root/opt/oneoff/$name"
  chmod 755 "$root/opt/oneoff/$name"
done
chmod 755 "$root/root"
chmod 777 "$root/lake"
# A VPC's own DNS answers for its machines' names, and tells that of an address.
for last in $(seq 10 30); do echo "10.84.0.$last ip-10-84-0-$last.box.internal"; done >> "$root/etc/hosts"
echo "$address $(hostname)" >> "$root/etc/hosts"
for each in $debian; do cp -a "$each/usr" "$each/etc" "$root/" 2> /dev/null || cp -a "$each/usr" "$root/"; done
[ -e "$root/etc/ssh/sshd_config" ] || cp "$root/usr/share/openssh/sshd_config" "$root/etc/ssh/"
cp "$here"/bin/* "$root/usr/local/bin/"
cp "$here/sshd.service" "$root/etc/systemd/system/"
cp "$user_data" "$root/var/lib/cloud/user-data"
echo "i-$(basename "$place")" > "$root/var/lib/cloud/data/instance-id"

inside() {
  env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 chroot "$root" "$@"
}
inside python3.11 /usr/local/bin/metadata "$address" "i-$(basename "$place")" &
inside sh -c 'mkdir -p /run/sshd && ssh-keygen -A > /dev/null && { getent passwd sshd > /dev/null || useradd --system sshd; }'
inside bash /var/lib/cloud/user-data > "$root/var/log/cloud-init-output.log" 2>&1 && echo booted || {
  echo "user data ended with $?"
  cat "$root/var/log/cloud-init-output.log"
}
cat > /dev/null
