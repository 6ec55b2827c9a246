#!/usr/bin/env bash
# Brings h2load without root's rights: `unpack-h2load.sh DIRECTORY` downloads Debian's packages, unpacks them into
# DIRECTORY/nghttp2 and writes DIRECTORY/bin/h2load, which finds their libraries.
set -euo pipefail
target=$1
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT

echo "no h2load on this machine: unpacking Debian's package nghttp2-client into $target" >&2
(cd "$packages" && apt-get download -qq nghttp2-client libnghttp2-14 libev4 libjemalloc2 >&2)
mkdir -p "$target/nghttp2" "$target/bin"
for package in "$packages"/*.deb; do dpkg -x "$package" "$target/nghttp2"; done

libraries=$(dirname "$(find "$target/nghttp2" -name 'libnghttp2.so.14' | head -1)")
cat >"$target/bin/h2load" <<SCRIPT
#!/bin/sh
LD_LIBRARY_PATH=$libraries exec $target/nghttp2/usr/bin/h2load "\$@"
SCRIPT
chmod +x "$target/bin/h2load"
"$target/bin/h2load" --version >&2
