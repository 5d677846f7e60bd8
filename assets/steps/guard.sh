#!/bin/sh
# Runs a command that dies with whoever started it. File descriptor 3 is a pipe that only the starter holds open: when the
# starter ends in any way, kill -9 included, the pipe closes and the whole process group is killed. The group can't be
# somebody else's by then, because this shell is its leader and still in it.
(trap '' TERM INT HUP; read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
# What asks the group to end is for the command alone: it is guarded until it has ended.
trap : TERM INT HUP
"$@" </dev/null &
command=$!
while :; do
  wait "$command" 2>/dev/null # where shells say "Killed"
  code=$?
  kill -0 "$command" 2>/dev/null || break # a signal ends `wait` too
done
exec 2>/dev/null
kill -KILL "$watcher"
exit "$code"
