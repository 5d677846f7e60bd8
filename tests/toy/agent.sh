#!/bin/sh
# Computes: sh agent.sh BOX RUN
lake=$1/lake
started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
record() {
  mkdir -p "$lake/_runs"
  printf '{"run":"%s","job":"build","state":"%s","started":"%s",%s"steps":[{"name":"stack","state":"%s"}]}' \
    "$RUN" "$1" "$started" "$3" "$2" > "$lake/_runs/.$RUN"
  mv "$lake/_runs/.$RUN" "$lake/_runs/$RUN.json"
}
RUN=$2
record running running
mkdir -p "$lake/_logs/$RUN" "$lake/points/run=$RUN"
for brick in 1 2 3; do
  echo "[oneoff] bricks $brick/3" >> "$lake/_logs/$RUN/stack.log"
  sleep 1
  [ -e "$1/broken-$RUN" ] && exit
done
cp "$1/points.parquet" "$lake/points/run=$RUN/part-0.parquet"
record succeeded succeeded "\"ended\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\","
