# The Python environments of a cluster's nodes. Whoever sources this has set $root and says how it is done there:
#
#   copy FROM TO FILE    brings a folder of the lake, which must have FILE
#   $complete            the file that a folder of wheels must have
#   new_venv FOLDER      makes an empty environment, and has $pip be the command that installs into it

pip=()
wheels=""

# make_venv NAME ADDRESS: $root/venv/NAME of the wheels and the requirements.txt there, without network. The
# environment's stamp comes last, so half of one is made anew.
make_venv() {
  local venv=$root/venv/$1 from=$2
  if [ -f "$venv/stamp" ] && [ "$(cat "$venv/stamp")" = "$from" ]; then return; fi
  wheels=$(mktemp -d)
  copy "$from" "$wheels" "$complete"
  rm -rf "$venv"
  new_venv "$venv"
  "${pip[@]}" install --quiet --disable-pip-version-check --no-input \
    --no-index --find-links "$wheels" --require-hashes -r "$wheels/requirements.txt"
  rm -rf "$wheels"
  wheels=""
  echo "$from" >"$venv/stamp"
}
