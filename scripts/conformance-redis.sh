#!/usr/bin/env bash
# Runs the Redis rules of localstack/conformance on a real redis-server, in real time.
#
#   scripts/conformance-redis.sh [arguments of go test]
#
# redis-server is taken from the PATH; where it is missing and this runs as root on Debian or Ubuntu, it is installed with apt.
# The server listens on loopback only, on a free port, keeps its files in a folder of its own and is stopped at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v redis-server >/dev/null; then
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "redis-server is missing: install it (Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis)" >&2
    exit 1
  fi
  # The package would start a server of its own on the standard port; policy-rc.d forbids that while it is installed.
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends redis-server >/dev/null
  [[ -z $(trap -p EXIT) ]] || rm -f "$policy"
fi

folder=$(mktemp -d)
server=
cleanup() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A port that is free now may be taken a moment later: another one is tried then.
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 20000))
  redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' --appendonly no --daemonize no >"$folder/log" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    if grep -q 'Ready to accept connections' "$folder/log"; then
      break 2
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
done
if [[ -z $server ]]; then
  echo "redis-server does not start:" >&2
  cat "$folder/log" >&2
  exit 1
fi

redis-server --version
BROKERDOJO_CONFORMANCE_REDIS=127.0.0.1:$port go test -count=1 -run '^TestRedis' "$@" ./localstack/conformance
