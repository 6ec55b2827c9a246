#!/usr/bin/env bash
# Fails when proto/ breaks a rule or gen/ is not exactly what proto/ generates, file by file.
# Writes to a temporary folder only; the working tree stays as it is. Cure for drift: npm run generate.
set -euo pipefail
cd "$(dirname "$0")/.."
buf=node_modules/.bin/buf

"$buf" format proto --diff --exit-code || {
  echo "proto/ is not formatted. Run: npx buf format -w proto" >&2
  exit 1
}
"$buf" lint

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$buf" generate --output "$fresh"
diff --recursive --unified gen "$fresh/gen" || {
  echo "gen/ is not what proto/ generates. Run: npm run generate, and commit gen/" >&2
  exit 1
}

# In a clone: equal files that nobody committed would be missing in the next one.
if [ -e .git ]; then
  untracked=$(git ls-files --others -- gen proto)
  if [ -n "$untracked" ]; then
    printf 'not committed:\n%s\nRun: git add gen proto\n' "$untracked" >&2
    exit 1
  fi
fi
echo "gen/ is what proto/ generates"
