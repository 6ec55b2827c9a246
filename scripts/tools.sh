#!/usr/bin/env bash
# The tools that people call a gateway with, unmodified, against a gateway process: grpcurl, grpc-health-probe, ghz, buf curl,
# curl, and connect-web's transports. Builds those that are written in Go in .cache/go and runs test/tools.
#
#   npm run tools [-- FLAGS OF VITEST]     e.g. grpcurl
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/go.sh

go_program grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl v1.9.4
go_program grpc-health-probe github.com/grpc-ecosystem/grpc-health-probe v0.4.61
go_program ghz github.com/bojand/ghz/cmd/ghz v0.121.0
if ! command -v curl >/dev/null || ! curl --version | grep -q HTTP2; then
  echo "$0: needs curl with HTTP/2, and there is none: as root: apt-get install curl" >&2
  exit 1
fi

exec npx vitest run --config test/tools/vitest.config.ts "$@"
