#!/bin/sh
# Resolves the Maven coordinates of jars.in in FOLDER with all that they need at run time, and writes FOLDER/jars.txt: sha256
# and path in a Maven repository of each jar, as `sha256sum --check` reads it. Libraries of one platform's machine code are
# left out: nothing here needs them. Needs Maven (https://maven.apache.org/).
set -eu
[ $# -eq 1 ] || { echo "usage: lock-jars.sh FOLDER" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# group:artifact:version, with a fourth part for a jar that is taken without what it needs: its classifier, or "alone" where it has none.
dependency() {
  IFS=: read -r group artifact version classifier <<COORDINATES
$1
COORDINATES
  printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>' "$group" "$artifact" "$version"
  if [ -n "$classifier" ]; then
    [ "$classifier" = alone ] || printf '<classifier>%s</classifier>' "$classifier"
    printf '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>'
  fi
  printf '</dependency>\n'
}

{
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
  echo '<groupId>oneoff</groupId><artifactId>jars</artifactId><version>1</version><dependencies>'
  grep -v '^#' "$1/jars.in" | while read -r coordinates; do dependency "$coordinates"; done
  echo '</dependencies></project>'
} > "$work/pom.xml"

mvn --quiet --batch-mode --file "$work/pom.xml" dependency:copy-dependencies \
  -DincludeScope=runtime -DexcludeClassifiers=linux-x86_64,linux-aarch_64,linux-riscv64,osx-x86_64,osx-aarch_64 \
  -Dmdep.useRepositoryLayout=true -DoutputDirectory="$work/jars"
(cd "$work/jars" && find . -name '*.jar' | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum) > "$1/jars.txt"
