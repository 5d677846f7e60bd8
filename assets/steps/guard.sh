#!/bin/sh
# Runs a command that dies with whoever started it. File descriptor 3 is a pipe that only the supervisor holds open: when
# the supervisor ends in any way, kill -9 included, the pipe closes and the whole process group is killed. The group can't
# be somebody else's by then, because this shell is its leader and still in it.
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
"$@" </dev/null &
wait $!
code=$?
kill "$watcher"
exit "$code"
