#!/usr/bin/env bash
# Builds the handlers in functions/ for Lambda (linux/arm64) and prints the sizes of their zips.
#
#   scripts/build-functions.sh [-o FOLDER] [-os OS] [-arch ARCH]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec go run ./internal/functions/build "$@"
