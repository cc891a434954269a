# SPDX-License-Identifier: BSD-3-Clause
# The API, misused with curl: the fitting status, an error object, and nothing changed.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

setup_file() {
	smoke_start
}

teardown_file() {
	smoke_stop
}

# call STATUS CODE CURL-ARGUMENT..: the answer has this status, and its error this code.
call() {
	local status=$1 code=$2 got
	shift 2
	got=$(curl -sS --max-time 60 --unix-socket "$run_dir/api.sock" -o "$work/answer" -w '%{http_code}' "$@")
	if [ "$got" != "$status" ] || ! jq -e --arg c "$code" \
		'.error.code == $c and (.error.message | length > 0 and (test("\n") | not))' "$work/answer"; then
		echo "wanted $status $code, got $got $(cat "$work/answer")" >&2
		return 1
	fi
}

networks=http://localhost/v1/networks
ports=http://localhost/v1/ports

nothing_changed() {
	ringway network ls --json | jq -e '[.. | .name? // empty] == []'
	ringway port ls --json | jq -e '[.. | .name? // empty] == []'
}

@test "wrong JSON" {
	call 400 invalid -d '{"name":' "$networks"
	call 400 invalid -d '[]' "$networks"
	call 400 invalid -d '"x"' "$networks"
	call 400 invalid -d '{"name":"a"} {"name":"b"}' "$networks"
	call 400 invalid -d $'{"name":"\xff\xfe"}' "$networks"
	call 400 invalid -d '{"name":"a\u0000b"}' "$networks"
	call 400 invalid -X POST "$networks"
	nothing_changed
}

@test "unknown and wrong fields" {
	call 400 invalid -d '{"name":"x","color":"red"}' "$networks"
	call 400 invalid -d '{"name":7}' "$networks"
	call 400 invalid -d '{"name":"x","mtu":"big"}' "$networks"
	call 400 invalid -d '{"name":"x","mtu":99999999999999999999}' "$networks"
	call 400 invalid -d '{"subnet":"10.0.0.0/24"}' "$networks"
	call 400 invalid -d '{"name":"x","name":"y"}' "$networks"
	call 404 not_found -d '{"name":"x","network":"none","attach":"vhost"}' "$ports"
	nothing_changed
}

@test "a body of 10 MB" {
	head -c 10000000 /dev/zero | tr '\0' x >"$work/big"
	call 413 too_large --data-binary "@$work/big" "$networks"
	call 413 too_large -H 'Transfer-Encoding: chunked' --data-binary "@$work/big" "$networks"
	nothing_changed
}

@test "wrong methods" {
	call 405 method -X PUT -d '{}' "$networks"
	call 405 method -X DELETE "$networks"
	call 405 method -X POST -d '{}' http://localhost/v1/version
	call 405 method -X PATCH "$ports"
}

@test "unknown paths" {
	call 404 not_found http://localhost/
	call 404 not_found http://localhost/v1
	call 404 not_found http://localhost/v2/networks
	call 404 not_found http://localhost/v1/networks/none
	call 404 not_found http://localhost/v1/ports/none
	call 404 not_found -X DELETE http://localhost/v1/ports/none
	call 404 not_found --path-as-is http://localhost/v1/../../etc/passwd
	call 404 not_found http://localhost/v1/networks/a%2Fb
}

@test "half a request holds up nobody" {
	local pid
	mkfifo "$work/half"
	socat - "UNIX-CONNECT:$run_dir/api.sock" <"$work/half" >/dev/null 2>&1 3>&- &
	pid=$!
	exec 9>"$work/half"
	printf 'POST /v1/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{' >&9
	timeout 10 "$build/src/cli/ringway" --run-dir "$run_dir" network ls 9>&-
	timeout 10 "$build/src/cli/ringway" --run-dir "$run_dir" version 9>&-
	kill -0 "$pid"
	exec 9>&-
	kill "$pid" 2>/dev/null || true
}
