#!/usr/bin/env bash
# Builds the page's script and runtime into site/, from packages pinned in package-lock.json. Both are committed, so that
# whoever has no Node (or no network) can use, test and ship the page as it is.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v npm >/dev/null; then
  echo "no Node: docs/explorable/site stays as it was built" >&2
  exit 0
fi
npm ci --ignore-scripts --silent || { echo "npm ci failed (no network?): docs/explorable/site stays as it was built" >&2; exit 0; }
npm run --silent check
npm run --silent build -- "$@"
