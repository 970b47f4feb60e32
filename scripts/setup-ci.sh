#!/usr/bin/env bash
# Installs what CI's slower tiers need on a fresh Debian machine, as root: redis-server, rabbitmq-server, shellcheck, npm, and the AWS
# CLI twice: Debian's version 2.9 speaks the query protocol to SQS, a current one from PyPI speaks JSON.
# Usage: scripts/setup-ci.sh DIR    (the current AWS CLI goes to DIR/awscli; a second run installs nothing)
set -euo pipefail

dir=${1:?usage: scripts/setup-ci.sh DIR}
awscli_version=1.46.3

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
command -v shellcheck >/dev/null || missing+=(shellcheck)
[ -x /usr/bin/aws ] || missing+=(awscli)
command -v npm >/dev/null || missing+=(npm)
command -v curl >/dev/null || missing+=(curl)
command -v python3 >/dev/null || missing+=(python3 python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Debian starts a service when it installs it; the checks start their own on free ports.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ ! -x "$dir/awscli/bin/aws" ]; then
  python3 -m venv "$dir/awscli"
  "$dir/awscli/bin/pip" install --quiet --disable-pip-version-check "awscli==$awscli_version"
fi
