#!/usr/bin/env bash
# h2spec (https://github.com/summerwind/h2spec), unmodified, against the gateway's listener and in the same run against a
# bare node:http2 server of the same Node.js, in clear text and over TLS. Fails if any case is worse than with the bare server,
# or if our own HTTP/2 does not pass all 146.
#
#   npm run h2spec [-- SECTION …]     e.g. http2/5.1; without one all of them
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/go.sh

go_program h2spec github.com/summerwind/h2spec/cmd/h2spec v2.2.1+incompatible

exec node test/h2spec/main.ts "$@"
