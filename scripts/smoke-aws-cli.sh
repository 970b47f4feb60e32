#!/usr/bin/env bash
# Uses the local cloud as a person with the AWS CLI does: each service by its everyday commands.
# Usage: scripts/smoke-aws-cli.sh AWS_COMMAND...    (each is one AWS CLI to try, such as /usr/bin/aws)
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || { echo "usage: scripts/smoke-aws-cli.sh AWS_COMMAND..." >&2; exit 2; }
command -v python3 >/dev/null || { echo "this script reads JSON with python3: install it" >&2; exit 2; }

work=$(mktemp -d)
cleanup() {
  [ -z "${up_pid:-}" ] || { kill "$up_pid" 2>/dev/null || true; wait "$up_pid" 2>/dev/null || true; }
  rm -rf "$work"
}
trap cleanup EXIT

go build -o "$work/brokerdojo" .
mkfifo "$work/ready"
"$work/brokerdojo" up --only aws --ports auto --json >"$work/ready" &
up_pid=$!
exec 3<"$work/ready"
read -r -t 30 ready <&3 || { echo "the cloud was not ready within 30 s" >&2; exit 1; }
while IFS='=' read -r name value; do
  export "$name=$value"
done < <(python3 -c 'import json,sys; [print(f"{k}={v}") for k, v in json.loads(sys.argv[1])["env"].items()]' "$ready")
export AWS_PAGER="" AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null

checks=0
# check WHAT WANT GOT: got contains want, or the smoke ends here.
check() {
  case $3 in
    *"$2"*) checks=$((checks + 1)) ;;
    *) printf 'FAIL %s\n  want: %s\n  got:  %s\n' "$1" "$2" "$3" >&2; exit 1 ;;
  esac
}

smoke() {
  local n=$2 orders dead orders_arn dead_arn topic subscription body receipt got
  local aws=("$1") query=(--output text --query)
  case $("$1" --version 2>&1) in
    # Version 2 reads AWS_ENDPOINT_URL from 2.13 on; version 1 overrides it for SQS with the service's old host name.
    aws-cli/1.* | aws-cli/2.[0-9].* | aws-cli/2.1[0-2].*) aws+=(--endpoint-url "$AWS_ENDPOINT_URL") ;;
  esac

  orders=$("${aws[@]}" sqs create-queue --queue-name "orders-$n" --attributes VisibilityTimeout=30 "${query[@]}" QueueUrl)
  check "create-queue" "/000000000000/orders-$n" "$orders"
  dead=$("${aws[@]}" sqs create-queue --queue-name "orders-dead-$n" "${query[@]}" QueueUrl)
  dead_arn=$("${aws[@]}" sqs get-queue-attributes --queue-url "$dead" --attribute-names QueueArn "${query[@]}" Attributes.QueueArn)
  orders_arn=$("${aws[@]}" sqs get-queue-attributes --queue-url "$orders" --attribute-names All "${query[@]}" Attributes.QueueArn)
  check "get-queue-attributes" "arn:aws:sqs:us-east-1:000000000000:orders-$n" "$orders_arn"
  "${aws[@]}" sqs set-queue-attributes --queue-url "$orders" \
    --attributes "{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"$dead_arn\\\",\\\"maxReceiveCount\\\":\\\"1\\\"}\"}"
  check "list-queues" "orders-dead-$n" "$("${aws[@]}" sqs list-queues --queue-name-prefix orders- --output text)"
  check "list-dead-letter-source-queues" "$orders" "$("${aws[@]}" sqs list-dead-letter-source-queues --queue-url "$dead" --output text)"

  "${aws[@]}" sqs send-message --queue-url "$orders" --message-body "order 17 <&>" \
    --message-attributes '{"kind":{"DataType":"String","StringValue":"paid"}}' >/dev/null
  got=$("${aws[@]}" sqs receive-message --queue-url "$orders" --message-attribute-names All --attribute-names All --visibility-timeout 0 --output json)
  check "receive-message, body" 'order 17 <&>' "$got"
  check "receive-message, attribute" '"paid"' "$got"
  check "receive-message, receive count" '"ApproximateReceiveCount": "1"' "$got"
  check "a second receive moves it to the dead letter queue" "None" \
    "$("${aws[@]}" sqs receive-message --queue-url "$orders" "${query[@]}" 'Messages[0].Body')"
  receipt=$("${aws[@]}" sqs receive-message --queue-url "$dead" "${query[@]}" 'Messages[0].ReceiptHandle')
  "${aws[@]}" sqs delete-message --queue-url "$dead" --receipt-handle "$receipt"
  "${aws[@]}" sqs send-message-batch --queue-url "$orders" --entries 'Id=a,MessageBody=one' 'Id=b,MessageBody=two' >/dev/null
  check "approximate number" "2" "$("${aws[@]}" sqs get-queue-attributes --queue-url "$orders" --attribute-names ApproximateNumberOfMessages "${query[@]}" Attributes.ApproximateNumberOfMessages)"
  "${aws[@]}" sqs purge-queue --queue-url "$orders"
  "${aws[@]}" sqs tag-queue --queue-url "$orders" --tags team=shop
  check "list-queue-tags" "shop" "$("${aws[@]}" sqs list-queue-tags --queue-url "$orders" --output text)"
  got=$("${aws[@]}" sqs get-queue-url --queue-name "missing-$n" 2>&1 || true)
  check "an unknown queue" "NonExistentQueue" "$got"

  topic=$("${aws[@]}" sns create-topic --name "events-$n" "${query[@]}" TopicArn)
  check "create-topic" "arn:aws:sns:us-east-1:000000000000:events-$n" "$topic"
  subscription=$("${aws[@]}" sns subscribe --topic-arn "$topic" --protocol sqs --notification-endpoint "$orders_arn" \
    --attributes '{"RawMessageDelivery":"true","FilterPolicy":"{\"kind\":[\"paid\"]}"}' --return-subscription-arn "${query[@]}" SubscriptionArn)
  "${aws[@]}" sns publish --topic-arn "$topic" --message "not for us" --message-attributes '{"kind":{"DataType":"String","StringValue":"lost"}}' >/dev/null
  "${aws[@]}" sns publish --topic-arn "$topic" --message "for us" --message-attributes '{"kind":{"DataType":"String","StringValue":"paid"}}' >/dev/null
  body=$("${aws[@]}" sqs receive-message --queue-url "$orders" --wait-time-seconds 5 "${query[@]}" 'Messages[*].Body')
  [ "$body" = "for us" ] || { printf 'FAIL filtered publish: got %s\n' "$body" >&2; exit 1; }
  check "list-subscriptions-by-topic" "$subscription" "$("${aws[@]}" sns list-subscriptions-by-topic --topic-arn "$topic" --output text)"
  "${aws[@]}" sns unsubscribe --subscription-arn "$subscription"
  "${aws[@]}" sns delete-topic --topic-arn "$topic"
  got=$("${aws[@]}" sns publish --topic-arn "$topic" --message gone 2>&1 || true)
  check "a deleted topic" "NotFound" "$got"
  "${aws[@]}" sqs delete-queue --queue-url "$orders"
  "${aws[@]}" sqs delete-queue --queue-url "$dead"
}

# serverless does the same with what a function needs around it.
serverless() {
  local n=$2 bucket role got key
  local aws=("$1" --endpoint-url "$AWS_ENDPOINT_URL") query=(--output text --query)
  bucket=code-$n role=worker-$n

  check "sts" "000000000000" "$("${aws[@]}" sts get-caller-identity "${query[@]}" Account)"
  "${aws[@]}" s3 mb "s3://$bucket" >/dev/null
  "${aws[@]}" s3 cp --quiet "$work/functions/deadletter-redrive.zip" "s3://$bucket/a b/redrive.zip"
  check "s3 ls" "redrive.zip" "$("${aws[@]}" s3 ls "s3://$bucket/a b/")"
  "${aws[@]}" s3 cp --quiet "s3://$bucket/a b/redrive.zip" "$work/back.zip"
  cmp "$work/functions/deadletter-redrive.zip" "$work/back.zip"
  head -c 20000000 /dev/zero >"$work/large" # over the size at which the CLI uploads in parts
  "${aws[@]}" s3 cp --quiet "$work/large" "s3://$bucket/large"
  check "a multipart upload" "-3" "$("${aws[@]}" s3api head-object --bucket "$bucket" --key large "${query[@]}" ETag)"
  check "presign" "200 20000000" "$(curl -fsS -o /dev/null -w '%{http_code} %{size_download}' "$("${aws[@]}" s3 presign "s3://$bucket/large")")"

  "${aws[@]}" iam create-role --role-name "$role" \
    --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}' >/dev/null
  "${aws[@]}" iam attach-role-policy --role-name "$role" --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
  check "iam" "AWSLambdaBasicExecutionRole" "$("${aws[@]}" iam list-attached-role-policies --role-name "$role" --output text)"
  check "assume-role" "assumed-role/$role/me" "$("${aws[@]}" sts assume-role --role-arn "arn:aws:iam::000000000000:role/$role" --role-session-name me --output text)"

  "${aws[@]}" lambda create-function --function-name "redrive-$n" --runtime provided.al2023 --handler bootstrap --timeout 5 \
    --role "arn:aws:iam::000000000000:role/$role" --code "S3Bucket=$bucket,S3Key=a b/redrive.zip" >/dev/null
  "${aws[@]}" lambda wait function-active-v2 --function-name "redrive-$n"
  "${aws[@]}" lambda invoke --function-name "redrive-$n" "$work/answer" >/dev/null
  check "a function without its configuration" "Runtime.ExitError" "$(cat "$work/answer")"
  "${aws[@]}" sqs create-queue --queue-name "dead-$n" >/dev/null
  "${aws[@]}" lambda update-function-configuration --function-name "redrive-$n" \
    --environment "Variables={DEAD_LETTER_QUEUE_URL=$AWS_ENDPOINT_URL/000000000000/dead-$n,DEAD_LETTER_QUEUE_ARN=arn:aws:sqs:us-east-1:000000000000:dead-$n}" >/dev/null
  "${aws[@]}" lambda invoke --function-name "redrive-$n" "$work/answer" >/dev/null
  check "invoke" '{"messages":0}' "$(cat "$work/answer")"
  case $("$1" --version 2>&1) in
    aws-cli/1.*) ;; # has no logs tail
    *) check "logs tail" "REPORT RequestId" "$("${aws[@]}" logs tail "/aws/lambda/redrive-$n")" ;;
  esac
  check "filter-log-events" "the configuration is wrong" "$("${aws[@]}" logs filter-log-events --log-group-name "/aws/lambda/redrive-$n" --filter-pattern '{ $.level = "ERROR" }' --output text)"

  "${aws[@]}" cloudwatch put-metric-alarm --alarm-name "deep-$n" --namespace AWS/SQS --metric-name ApproximateNumberOfMessagesVisible \
    --dimensions "Name=QueueName,Value=dead-$n" --statistic Maximum --period 60 --evaluation-periods 1 --threshold 0 --comparison-operator GreaterThanThreshold
  check "describe-alarms" "INSUFFICIENT_DATA" "$("${aws[@]}" cloudwatch describe-alarms --alarm-names "deep-$n" "${query[@]}" 'MetricAlarms[0].StateValue')"
  "${aws[@]}" cloudwatch put-metric-data --namespace Shop --metric-name Orders --value 3
  check "list-metrics" "Orders" "$("${aws[@]}" cloudwatch list-metrics --namespace Shop --output text)"

  key=$("${aws[@]}" kms create-key "${query[@]}" KeyMetadata.KeyId)
  "${aws[@]}" kms create-alias --alias-name "alias/shop-$n" --target-key-id "$key"
  "${aws[@]}" ssm put-parameter --name "/shop/$n/token" --type SecureString --key-id "alias/shop-$n" --value geheim >/dev/null
  check "ssm" "geheim" "$("${aws[@]}" ssm get-parameters-by-path --path "/shop/$n" --with-decryption --output text)"

  cat >"$work/stack.yaml" <<'YAML'
Parameters:
  Delay: {Type: Number, Default: 1}
Resources:
  Dead:
    Type: AWS::SQS::Queue
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref Delay
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
Outputs:
  Url: {Value: !Ref Queue}
YAML
  "${aws[@]}" cloudformation deploy --stack-name "shop-$n" --template-file "$work/stack.yaml" >/dev/null
  "${aws[@]}" cloudformation deploy --stack-name "shop-$n" --template-file "$work/stack.yaml" --parameter-overrides Delay=7 >/dev/null
  got=$("${aws[@]}" cloudformation describe-stacks --stack-name "shop-$n" "${query[@]}" 'Stacks[0].Outputs[0].OutputValue')
  check "cloudformation deploy" "7" "$("${aws[@]}" sqs get-queue-attributes --queue-url "$got" --attribute-names DelaySeconds "${query[@]}" Attributes.DelaySeconds)"
  "${aws[@]}" cloudformation deploy --no-fail-on-empty-changeset --stack-name "shop-$n" --template-file "$work/stack.yaml" >/dev/null
  "${aws[@]}" cloudformation delete-stack --stack-name "shop-$n"
  "${aws[@]}" cloudformation wait stack-delete-complete --stack-name "shop-$n"
  "${aws[@]}" s3 rm --quiet --recursive "s3://$bucket"
  "${aws[@]}" s3 rb "s3://$bucket" >/dev/null
}

go run ./internal/functions/build -o "$work/functions" -os "$(go env GOOS)" -arch "$(go env GOARCH)" >/dev/null

n=0
for aws in "$@"; do
  n=$((n + 1))
  smoke "$aws" "$n"
  serverless "$aws" "$n"
  echo "ok: $("$aws" --version 2>&1 | cut -d' ' -f1)"
done
echo "AWS CLI smoke: $checks checks passed"
