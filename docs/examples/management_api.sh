#!/bin/sh
# Sends one request through the HTTP API of RabbitMQ's management plugin, and asks for its result each second.
#
#     export VIDEOGEN_BROKER__MANAGEMENT_URL=http://guest:guest@localhost:15672
#     sh management_api.sh
#     sh management_api.sh '{"model": "wan2.2-t2v-plus", "prompt": "A fox in the snow"}' order-4711
#
# The arguments are the request and its id. Without an id there is a new one, and so a new video, each time.
# Where the worker has a VIDEOGEN_BROKER__PREFIX, set the same here.
#
# Prints the task id, or the error. Exit status: 0 submitted, 1 failed, 2 nothing came within 60 s.
#
# It needs curl, base64, sed, tr and od, and a user of the broker with the tag `management`. It is for trying out, and
# for places that can do nothing but HTTP: every call opens a connection of its own at the broker.
set -eu

broker=${VIDEOGEN_BROKER__MANAGEMENT_URL:-http://guest:guest@localhost:15672}
exchange=${VIDEOGEN_BROKER__PREFIX:-videogen}
vhost=%2F # the virtual host `/`, as it stands in an address
seconds=60

new_id() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

nothing() {
    printf 'No result for request %s: %s\n' "$id" "$1" >&2
    printf 'Is a worker running? Send the request again under the same id.\n' >&2
    exit 2
}

# The address goes over standard input: it holds the password, and arguments are in the list of processes.
call() { # METHOD PATH BODY
    printf 'url = "%s/api/%s"\n' "${broker%/}" "$2" |
        curl --config - --request "$1" --data "$3" --header 'Content-Type: application/json' \
            --silent --show-error --fail --max-time 10
}

request='{"model": "wan2.2-t2v-plus", "prompt": "A lighthouse at dawn", "size": "832*480"}'
request=${1:-$request}
id=${2:-$(new_id)}
case $id in *[!A-Za-z0-9._-]*) nothing 'give an id of letters, digits, dots, - and _' ;; esac

# A queue for the result, which the broker deletes after an hour without use.
replies=reply.$(new_id)
call PUT "queues/$vhost/$replies" '{"durable": true, "arguments": {"x-expires": 3600000}}' ||
    nothing 'the management API does not declare a queue'
trap 'call DELETE "queues/$vhost/$replies" "" || :' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# In base64 the request needs no quoting. `routed` tells that a queue took it, and that the broker has confirmed it.
answer=$(call POST "exchanges/$vhost/$exchange/publish" "{
    \"routing_key\": \"request\", \"payload_encoding\": \"base64\",
    \"payload\": \"$(printf %s "$request" | base64 | tr -d '\n')\",
    \"properties\": {\"message_id\": \"$id\", \"reply_to\": \"$replies\", \"delivery_mode\": 2,
                     \"content_type\": \"application/json\"}}") ||
    nothing "the management API does not publish to the exchange $exchange: start the worker once, which declares it"
case $answer in
*'"routed":true'*) ;;
*) nothing "no queue takes requests ($answer): start the worker once, which declares it" ;;
esac

# What was handed out is gone from the queue. Where that answer is lost, send the request again under its id.
payload=
deadline=$(($(date +%s) + seconds))
while [ -z "$payload" ]; do
    [ "$(date +%s)" -lt "$deadline" ] || nothing "none came within $seconds s"
    message=$(call POST "queues/$vhost/$replies/get" \
        '{"count": 1, "ackmode": "ack_requeue_false", "encoding": "base64"}') ||
        nothing 'the management API does not read the queue'
    payload=$(printf '%s\n' "$message" | sed -n 's/.*"payload":"\([^"]*\)".*/\1/p')
    [ -n "$payload" ] || sleep 1
done
result=$(printf %s "$payload" | base64 -d)

text() { # NAME: a field of the result that holds a plain word
    printf '%s\n' "$result" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

case $(text status) in
submitted) text task_id ;;
failed)
    printf '%s: %s\n' "$(text code)" "$result"
    exit 1
    ;;
*) nothing "what came is no result: $result" ;;
esac
