/**
 * Names that no user may have: accounts that Amazon Linux 2023 has or reserves
 * (https://docs.aws.amazon.com/linux/al2023/ug/al2023-reserved-users-list.html), groups, as an account gets a group of its name,
 * and what a fleet runs as.
 */
export const RESERVED_ACCOUNTS: ReadonlySet<string> = new Set(
  `
  root bin daemon adm lp sync shutdown halt mail operator games ftp squid named postgres mysql nscd rpcuser rpc mailnull apache smmsp
  tomcat ldap tss nslcd avahi tcpdump sshd radvd dbus postfix dovecot stapusr stapsys stapdev avahi-autoipd pulse rtkit sanlock uuidd
  stap-server redis6 pesign smtpq smtpd nginx munge memcached sphinx haproxy flatpak debuginfod dovenull dnsmasq unbound clamscan
  clamilt clamupdate colord ods aws-kinesis-agent-user saslauth cwagent polkitd ec2-instance-connect chrony libstoragemgmt ec2-user
  nobody ssm-user
  sys tty disk mem kmem wheel sudo cdrom man dialout floppy tape video audio lock users utmp utempter input kvm render sgx screen
  docker dockerroot containerd nvidia-persistenced dcgm admin administrator guest user
  oneoff hadoop hdfs spark yarn mapred jupyter jovyan
  `
    .trim()
    .split(/\s+/),
);
