# Runs stages one after the other and remembers how long each took. Sourced by .ci/run and .ci/full.
stages=()

stage() {
  local name=$1 start=$SECONDS
  shift
  printf '\n==> %s: %s\n' "$name" "$*"
  "$@"
  stages+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
}

summary() {
  printf '\nSeconds per stage:\n'
  printf '%s\n' "${stages[@]}"
  printf '%5d s  in all\n' "$SECONDS"
}
