#!/bin/sh
# Builds a C# script, unless it has been built before, and becomes it.
# usage: run.sh DOTNET SCRIPT OUT [ARG…]
set -u
dotnet=$1 script=$2 out=$3
shift 3
name=$(basename "$script" .cs)
# dotnet needs a home folder that it can write to.
if [ -z "${HOME:-}" ] || [ ! -w "${HOME:-/}" ]; then
  export DOTNET_CLI_HOME="${out%/*}/home"
  mkdir -p "$DOTNET_CLI_HOME"
fi
if [ ! -f "$out/$name.dll" ]; then
  mkdir -p "${out%/*}"
  new=$(mktemp -d "$out.XXXXXX") || exit 1
  trap 'rm -rf "$new"' EXIT
  # Ahead-of-time compilation restores a compiler from a registry, and takes
  # JSON by reflection away. Nothing stays behind the build: a server of it
  # would hold the run's pipes.
  if ! MSBUILDDISABLENODEREUSE=1 "$dotnet" build "$script" -o "$new" --artifacts-path "$new/obj" --nologo -v quiet --disable-build-servers \
    -p:PublishAot=false -p:UseSharedCompilation=false \
    -p:CustomAfterMicrosoftCommonTargets="$(dirname "$0")/agent.targets" >"$new/build.log" 2>&1; then
    sed -e '/^$/d' -e '/Build FAILED/d' -e '/ Warning(s)/d' -e '/Time Elapsed/d' "$new/build.log" | sort -u >&2
    exit 1
  fi
  rm -rf "$new/obj" # else dotnet keeps it in the home folder, for each script's path
  # Another run may have been quicker: then its build serves.
  [ -e "$out" ] || mv "$new" "$out"
  rm -rf "$new"
  trap - EXIT
fi
touch "$out" # the agent drops what has not been used for long
exec "$dotnet" "$out/$name.dll" "$@"
