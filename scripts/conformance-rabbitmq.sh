#!/usr/bin/env bash
# Runs the RabbitMQ rules of localstack/conformance on a real RabbitMQ, in real time.
#
#   scripts/conformance-rabbitmq.sh [arguments of go test]
#
# RabbitMQ comes from the package rabbitmq-server of Debian or Ubuntu (sudo apt-get install rabbitmq-server; macOS: brew install
# rabbitmq). The server listens on loopback only, on free ports, keeps its files in a folder of its own and is stopped at the end.
# With BROKERDOJO_RABBITMQ_RUN set, that command runs instead of the rules, with the endpoints in its environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

server=$(command -v /usr/lib/rabbitmq/bin/rabbitmq-server rabbitmq-server | head -n 1) || true
if [[ -z $server ]]; then
  echo "rabbitmq-server is missing: install it (Debian and Ubuntu: sudo apt-get install rabbitmq-server; macOS: brew install rabbitmq)" >&2
  exit 1
fi

folder=$(mktemp -d)
base=$((20000 + RANDOM % 10000))
home=${HOME:-/root}
export HOME=$folder # where the Erlang cookie is kept
export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((base + 3))
export RABBITMQ_NODENAME=conformance$base@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$base RABBITMQ_DIST_PORT=$((base + 2))
export RABBITMQ_MNESIA_BASE=$folder/data RABBITMQ_LOG_BASE=$folder/log RABBITMQ_PID_FILE=$folder/pid RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins
export RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
echo '[rabbitmq_management,rabbitmq_prometheus].' >"$RABBITMQ_ENABLED_PLUGINS_FILE"
cat >"$RABBITMQ_CONFIG_FILE" <<CONF
management.tcp.ip = 127.0.0.1
management.tcp.port = $((base + 1))
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $((base + 4))
CONF

pid=
cleanup() {
  if [[ -n $pid ]]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  epmd -port "$ERL_EPMD_PORT" -kill >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$server" >"$folder/out" 2>&1 &
pid=$!
for _ in $(seq 300); do
  if grep -q 'Starting broker... completed' "$folder/out"; then
    break
  fi
  if ! kill -0 "$pid" 2>/dev/null; then
    pid=
    break
  fi
  sleep 0.2
done
if [[ -z $pid ]] || ! grep -q 'Starting broker... completed' "$folder/out"; then
  echo "rabbitmq-server does not start:" >&2
  cat "$folder/out" >&2
  exit 1
fi

grep -o 'RabbitMQ [0-9.]*' "$folder/out" | head -n 1
export BROKERDOJO_CONFORMANCE_RABBITMQ=127.0.0.1:$base BROKERDOJO_CONFORMANCE_RABBITMQ_MANAGEMENT=127.0.0.1:$((base + 1))
if [[ -n ${BROKERDOJO_RABBITMQ_RUN:-} ]]; then
  HOME=$home bash -c "$BROKERDOJO_RABBITMQ_RUN"
else
  HOME=$home go test -count=1 -run '^TestRabbitMQ' "$@" ./localstack/conformance
fi
