#!/usr/bin/env bash
# Runs the integration tests of RabbitMQ's own Go client against the local cloud, from the module cache.
#
#   scripts/amqp091-tests.sh [arguments of go test]
#
# The tests look for the management API on port 15672, so that RabbitMQ's standard ports must be free. They declare queues that are
# neither durable nor exclusive, which RabbitMQ 4.3 must be told to permit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
cloud=
cleanup() {
  if [[ -n $cloud ]]; then
    kill "$cloud" 2>/dev/null || true
    wait "$cloud" 2>/dev/null || true
  fi
  chmod -R u+w "$folder"
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

go build -o "$folder/brokerdojo" .
cp -r "$(go list -m -f '{{.Dir}}' github.com/rabbitmq/amqp091-go)" "$folder/client"
chmod -R u+w "$folder/client"

(cd "$folder" && exec ./brokerdojo up --only rabbitmq --permit transient_nonexcl_queues --json) >"$folder/up.json" 2>"$folder/log" &
cloud=$!
for _ in $(seq 100); do
  [[ -s $folder/up.json ]] && break
  sleep 0.05
done
if ! grep -q '"rabbitmq-management":"http://127.0.0.1:15672"' "$folder/up.json"; then
  echo "the local cloud has not got RabbitMQ's standard ports:" >&2
  cat "$folder/up.json" "$folder/log" >&2
  exit 1
fi

cd "$folder/client"
AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ go test -count=1 -tags integration "$@" .
