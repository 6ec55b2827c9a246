#!/usr/bin/env bash
# The official conformance suite of Connect, gRPC and gRPC-Web (https://github.com/connectrpc/conformance), unmodified,
# against a conformance service on the gateway's own listener and RPC path. It runs twice: through the lean path, and
# with everything through connect-es' handlers. No case is known to fail.
#
#   npm run conformance [-- FLAGS OF THE RUNNER]     e.g. --run '**/server-stream/**' --trace
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/go.sh
version=v1.0.7

go_program connectconformance connectrpc.com/conformance/cmd/connectconformance $version

# The service's protos are the suite's own, and are not kept here.
gen=.cache/conformance/gen
if [ ! -e "$gen/.$version" ]; then
  sources=$(go_module connectrpc.com/conformance $version)
  node_modules/.bin/buf generate "$sources" --template test/conformance/buf.gen.yaml --output .cache/conformance
  touch "$gen/.$version"
fi
node_modules/.bin/tsc --noEmit -p test/conformance

# Several of the cases are about time: no more at once than two cores can carry without being late.
for way in lean connect-es; do
  echo
  echo "== conformance, through: $way"
  connectconformance --conf test/conformance/config.yaml --mode server --max-servers 2 --parallel 4 "$@" \
    -- node test/conformance/server.ts --through "$way"
done
