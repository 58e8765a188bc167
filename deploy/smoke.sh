#!/bin/sh
# Sends requests to a running compose stack, and checks that each gets a result with a task id of its own.
set -eu

usage() {
    cat <<'TEXT'
Usage: deploy/smoke.sh [-n COUNT] [-t SECONDS] [-p PROMPT] [-u] [-y] [-- OPTIONS OF DOCKER COMPOSE]

  -n COUNT     how many requests; 100
  -t SECONDS   how long to wait for all results; 120
  -p PROMPT    what each of them asks for; the simulated endpoint takes directives: '[sim: 429 x2]'
  -u           results may also be `uncertain`: a worker is killed meanwhile, and nobody knows whether its calls were paid
  -y           yes, send them, although the endpoint is not the simulated one and may be paid for each

The project is the one of the repository's docker-compose.yml; COMPOSE_PROJECT_NAME, COMPOSE_FILE and options after --
choose another. Paths are those from the root of the repository.

Where the connection to the broker is lost, the same requests are sent again under the same ids: the worker answers
again what it has answered, and makes no second call.

Exit status: 0 every request was submitted, each with a task id of its own; 1 not so; 2 it could not begin;
3 some results did not come in time.
TEXT
}

fail() {
    printf '%s\n' "$1" >&2
    exit "$2"
}

is_number() {
    case $1 in '' | *[!0-9]* | 0*) return 1 ;; esac
}

count=100
seconds=120
prompt='Smoke test'
uncertain_allowed=
endpoint_allowed=
while getopts n:t:p:uyh option; do
    case $option in
    n) count=$OPTARG ;;
    t) seconds=$OPTARG ;;
    p) prompt=$OPTARG ;;
    u) uncertain_allowed=yes ;;
    y) endpoint_allowed=yes ;;
    h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
is_number "$count" || fail "-n: give a number above 0, not '$count'" 2
is_number "$seconds" || fail "-t: give whole seconds above 0, not '$seconds'" 2

cd "$(dirname "$0")/.."
configuration=$(docker compose "$@" config) || exit 2
case $configuration in
*'VIDEOGEN_ENDPOINT__BASE_URL: http://simulator:'*) ;;
*) [ -n "$endpoint_allowed" ] || fail "The endpoint is not the simulated one: $count calls may cost. Give -y to make them." 2 ;;
esac
[ -n "$(docker compose "$@" ps --quiet)" ] ||
    fail "Nothing of this project runs. Start it: docker compose up --build --detach --wait --scale worker=3" 2

requests() {
    count=$count prompt=$prompt awk 'BEGIN {
        prompt = ENVIRON["prompt"]
        gsub(/[\\"]/, "\\\\&", prompt)
        while (number++ < ENVIRON["count"])
            printf "{\"model\": \"wan2.2-t2v-plus\", \"prompt\": \"%s\", \"size\": \"832*480\"}\n", prompt
    }'
}

# Sets: answered, submitted, tasks (different ids), pairs (of request and task), uncertain, failed.
tally() {
    counts=$(awk '
        function field(name) {
            if (!match($0, "\"" name "\": \"[^\"]*\"")) return ""
            return substr($0, RSTART + length(name) + 5, RLENGTH - length(name) - 6)
        }
        !/^\{.*\}$/ { next } # a line that was cut
        {
            request = field("request_id")
            best[request] += 0
            if (field("status") == "submitted") {
                best[request] = 2
                if ((task = field("task_id")) == "") next
                tasks += !(task in known)
                known[task]
                pairs += !((request, task) in told)
                told[request, task]
            } else if (field("code") == "uncertain" && !best[request]) best[request] = 1
        }
        END {
            for (request in best) number[best[request]]++
            print number[0] + number[1] + number[2], number[2] + 0, tasks + 0, pairs + 0, number[1] + 0, number[0] + 0
        }' "$results")
    read -r answered submitted tasks pairs uncertain failed <<END
$counts
END
}

results=$(mktemp)
trap 'rm -f "$results"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

id=smoke-$(date +%s)-$$
deadline=$(($(date +%s) + seconds))
while :; do
    left=$((deadline - $(date +%s)))
    [ "$left" -gt 0 ] || break
    status=0
    requests | docker compose "$@" run --rm --no-deps -T worker submit - --json --request-id "$id" --timeout "$left" \
        >>"$results" || status=$?
    # The next line begins anew, also where this one was cut.
    echo >>"$results"
    tally
    [ "$answered" -lt "$count" ] || break
    [ "$status" -ne 2 ] || exit 2
    sleep 1
    echo "$answered of $count results so far; the same requests are sent again." >&2
done

tally
echo "$answered of $count results: $submitted submitted with $tasks different task ids, $uncertain uncertain, $failed failed"
grep '"status": "failed"' "$results" | head -n 5 >&2 || true
[ "$answered" -eq "$count" ] || fail "$((count - answered)) results did not come within $seconds s." 3
[ "$pairs" -eq "$submitted" ] || fail "A request has two task ids, or none." 1
[ "$tasks" -eq "$submitted" ] || fail "Two requests share a task id." 1
[ "$failed" -eq 0 ] || fail "Some requests failed; see above." 1
[ "$uncertain" -eq 0 ] || [ -n "$uncertain_allowed" ] || fail "Some requests are uncertain; see above." 1
