#!/usr/bin/env bash
# Uses the local cloud as a person with the CDK CLI does, with AWS_ENDPOINT_URL and nothing else: bootstrap, deploy, deploy again without
# a change, diff, update, an update that fails, --method=direct, --hotswap, destroy. The stack is a queue that a handler of functions/ works.
# Usage: scripts/smoke-cdk.sh CDK_FOLDER    (the CDK CLI and its Node.js go there; a second run installs nothing)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=${1:?usage: scripts/smoke-cdk.sh CDK_FOLDER}
cdk_version=2.1148.1 node_version=22.23.3
command -v npm >/dev/null || { echo "npm is missing: install Node.js (Debian and Ubuntu: sudo apt-get install npm)" >&2; exit 2; }
command -v python3 >/dev/null || { echo "this script writes JSON with python3: install it" >&2; exit 2; }
if [ ! -x "$tools/node_modules/.bin/cdk" ]; then
  mkdir -p "$tools"
  npm install --prefix "$tools" --silent --no-audit --no-fund "node@$node_version" "aws-cdk@$cdk_version"
fi

work=$(mktemp -d)
cleanup() {
  [ -z "${up_pid:-}" ] || { kill "$up_pid" 2>/dev/null || true; wait "$up_pid" 2>/dev/null || true; }
  rm -rf "$work"
}
trap cleanup EXIT

go build -o "$work/brokerdojo" .
go run ./internal/functions/build -o "$work/functions" -os "$(go env GOOS)" -arch "$(go env GOARCH)" >/dev/null
mkfifo "$work/ready"
"$work/brokerdojo" up --only aws --ports auto --json >"$work/ready" &
up_pid=$!
exec 3<"$work/ready"
read -r -t 30 ready <&3 || { echo "the cloud was not ready within 30 s" >&2; exit 1; }
while IFS='=' read -r name value; do
  export "$name=$value"
done < <(python3 -c 'import json,sys; [print(f"{k}={v}") for k, v in json.loads(sys.argv[1])["env"].items()]' "$ready")
unset AWS_SESSION_TOKEN # the CLI would take an empty one for one
export PATH="$tools/node_modules/.bin:$PATH" HOME="$work" CI=1 CDK_DISABLE_CLI_TELEMETRY=1 # the CLI keeps accounts in the home folder

# assembly DELAY HANDLER [bad]: a cloud assembly as synth leaves it.
assembly() {
  python3 - "$work" "$@" <<'PYTHON'
import hashlib, json, os, sys

work, delay, handler, bad = sys.argv[1], int(sys.argv[2]), sys.argv[3], len(sys.argv) > 4
out = work + "/cdk.out"
os.makedirs(out, exist_ok=True)
code = open(f"{work}/functions/{handler}.zip", "rb").read()
code_hash = hashlib.sha256(code).hexdigest()
open(f"{out}/asset.{code_hash}.zip", "wb").write(code)

account, region, qualifier = "000000000000", "us-east-1", "hnb659fds"
bucket = f"cdk-{qualifier}-assets-{account}-{region}"
version = f"/cdk-bootstrap/{qualifier}/version"


def role(name):
    return f"arn:${{AWS::Partition}}:iam::{account}:role/cdk-{qualifier}-{name}-role-{account}-{region}"


def arn(name):
    return {"Fn::GetAtt": [name, "Arn"]}


resources = {
    "Invoices": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}},
    "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}},
    "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {
        "VisibilityTimeout": 60, "DelaySeconds": delay, "RedrivePolicy": {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 3}}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
    "Policy": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "work", "Roles": [{"Ref": "Role"}], "PolicyDocument": {
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], "Resource": arn("Jobs")}]}}},
    "Worker": {"Type": "AWS::Lambda::Function", "DependsOn": ["Policy"], "Properties": {
        "Architectures": ["arm64"], "Code": {"S3Bucket": {"Fn::Sub": f"cdk-{qualifier}-assets-${{AWS::AccountId}}-${{AWS::Region}}"}, "S3Key": code_hash + ".zip"},
        "Handler": "bootstrap", "Runtime": "provided.al2023", "Role": arn("Role"), "Timeout": 10,
        "Environment": {"Variables": {"INVOICES_QUEUE_URL": {"Ref": "Invoices"}, "ROUTE": "express", "EFFECTS_QUEUE_URL": {"Ref": "Invoices"}}}},
        "Metadata": {"aws:asset:path": f"asset.{code_hash}.zip", "aws:asset:is-bundled": False, "aws:asset:property": "Code"}},
    "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
        "EventSourceArn": arn("Jobs"), "FunctionName": {"Ref": "Worker"}, "BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"], "ScalingConfig": {"MaximumConcurrency": 5}}},
}
if bad:
    resources["Bad"] = {"Type": "AWS::SQS::Queue", "DependsOn": ["Jobs"], "Properties": {"VisibilityTimeout": 99999}}
template = json.dumps({
    "Resources": resources, "Outputs": {"JobsUrl": {"Value": {"Ref": "Jobs"}}, "InvoicesUrl": {"Value": {"Ref": "Invoices"}}},
    "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": version}},
    "Rules": {"CheckBootstrapVersion": {"Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]}]}, "AssertDescription": "bootstrap version 6 is required"}]}},
})
template_hash = hashlib.sha256(template.encode()).hexdigest()
open(out + "/work.template.json", "w").write(template)


def file(path, key):
    return {"source": {"path": path, "packaging": "file"}, "destinations": {f"{account}-{region}": {"bucketName": bucket, "objectKey": key, "region": region, "assumeRoleArn": role("file-publishing")}}}


json.dump({"version": "36.0.0", "dockerImages": {}, "files": {
    code_hash: file(f"asset.{code_hash}.zip", code_hash + ".zip"), template_hash: file("work.template.json", template_hash + ".json")}}, open(out + "/work.assets.json", "w"))
needs = {"requiresBootstrapStackVersion": 6, "bootstrapStackVersionSsmParameter": version}
json.dump({"version": "36.0.0", "artifacts": {
    "work.assets": {"type": "cdk:asset-manifest", "properties": {"file": "work.assets.json", **needs}},
    "work": {"type": "aws:cloudformation:stack", "environment": f"aws://{account}/{region}", "dependencies": ["work.assets"], "displayName": "work", "properties": {
        "templateFile": "work.template.json", "validateOnSynth": False, "assumeRoleArn": role("deploy"), "cloudFormationExecutionRoleArn": role("cfn-exec"),
        "stackTemplateAssetObjectUrl": f"s3://{bucket}/{template_hash}.json", "additionalDependencies": ["work.assets"], "tags": {"team": "shop"}, **needs,
        "lookupRole": {"arn": role("lookup"), **needs}}}}}, open(out + "/manifest.json", "w"))
PYTHON
}

checks=0
# expect WHAT WANT COMMAND...: the command succeeds (or, with WHAT ending in "fails", does not) and says WANT.
expect() {
  local what=$1 want=$2 out status=0
  shift 2
  out=$("$@" 2>&1) || status=$?
  case $what in
    *fails) [ "$status" -ne 0 ] || { printf 'FAIL %s: it succeeded\n%s\n' "$what" "$out" >&2; exit 1; } ;;
    *) [ "$status" -eq 0 ] || { printf 'FAIL %s\n%s\n' "$what" "$out" >&2; exit 1; } ;;
  esac
  case $out in
    *"$want"*) checks=$((checks + 1)) ;;
    *) printf 'FAIL %s\n  want: %s\n  got:  %s\n' "$what" "$want" "$out" >&2; exit 1 ;;
  esac
}

cd "$work"
deploy=(cdk deploy work --app "$work/cdk.out" --require-approval never)
expect "bootstrap" "bootstrapped." cdk bootstrap aws://000000000000/us-east-1
expect "bootstrap again" "(no changes)" cdk bootstrap aws://000000000000/us-east-1
assembly 0 workqueue-sqs
start=$SECONDS
expect "deploy" "work.JobsUrl = " "${deploy[@]}"
deployed=$((SECONDS - start))
expect "deploy without a change" "no changes" "${deploy[@]}"
assembly 3 workqueue-sqs
expect "diff" "[+] 3" cdk diff work --app "$work/cdk.out"
expect "update" "✅" "${deploy[@]}"
assembly 4 workqueue-sqs bad
expect "an update that fails" "Invalid value for the parameter VisibilityTimeout" "${deploy[@]}"
assembly 5 workqueue-sqs
expect "deploy --method=direct" "✅" "${deploy[@]}" --method=direct
assembly 5 routing-sqs
expect "deploy --hotswap" "hotswapped" "${deploy[@]}" --hotswap
expect "destroy" "destroyed" cdk destroy work --app "$work/cdk.out" --force
echo "CDK CLI $cdk_version smoke: $checks checks passed; the first deploy took $deployed s"
