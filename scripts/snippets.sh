#!/usr/bin/env bash
# The programs of docs/waiting.md in Python and Go, as they stand: writes them into .cache/snippets, generates the stubs that
# they import, builds them, and runs test/snippets against a gateway. A language that is not on this machine is named and
# left out. The programs for Node.js and browsers run in `npm test`.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/snippets
SNIPPETS_DIRECTORY=$(node test/snippets/write.ts)
export SNIPPETS_DIRECTORY

if command -v python3 >/dev/null && python3 -c 'import venv' 2>/dev/null; then
  [ -x "$cache/venv/bin/python" ] || python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check -r test/snippets/python/requirements.txt
  "$cache/venv/bin/python" -m grpc_tools.protoc -Iproto --python_out="$SNIPPETS_DIRECTORY" \
    --grpc_python_out="$SNIPPETS_DIRECTORY" lrogateway/v1/operation_watcher.proto
  export SNIPPETS_PYTHON=$cache/venv/bin/python
else
  echo "snippets: no python3 with venv on this machine: the Python programs are left out" >&2
fi

if command -v go >/dev/null; then
  cp test/snippets/go/go.mod test/snippets/go/go.sum "$SNIPPETS_DIRECTORY/"
  GOBIN=$cache/bin go -C "$SNIPPETS_DIRECTORY" install google.golang.org/protobuf/cmd/protoc-gen-go \
    google.golang.org/grpc/cmd/protoc-gen-go-grpc
  opt=paths=source_relative,Mlrogateway/v1/operation_watcher.proto=snippets.example/lrogateway/v1
  npx buf generate proto --path proto/lrogateway --template "{version: v2, plugins: [
    {local: $cache/bin/protoc-gen-go, out: $SNIPPETS_DIRECTORY, opt: '$opt'},
    {local: $cache/bin/protoc-gen-go-grpc, out: $SNIPPETS_DIRECTORY, opt: '$opt'}]}"
  GOBIN=$cache/bin go -C "$SNIPPETS_DIRECTORY" install ./wait ./watch ./cancel
  export SNIPPETS_GO=$cache/bin
else
  echo "snippets: no go on this machine: the Go programs are left out" >&2
fi

exec npx vitest run --config test/snippets/vitest.config.ts "$@"
