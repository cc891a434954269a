# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What all smoke tests share. Every file runs an instance of its own: its run and state directories, its driver's
# name, names of networks and containers that begin with $id. setup_file calls smoke_start, teardown_file smoke_stop.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath "${SMOKE_BUILD:-$top/build}")
image=ringway-smoke

# Everything that a test waits for comes within this many seconds, or the test fails. Far more than needed.
patience=30

ringway() {
	"$build/src/cli/ringway" --run-dir "$run_dir" "$@"
}

# json COMMAND.. -- FILTER: the command's --json output through jq.
json() {
	local command=()
	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	ringway "${command[@]}" --json | jq -er "$2"
}

# poll COMMAND..: until it succeeds.
poll() {
	local end=$((SECONDS + patience))
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge $end ]; then
			echo "not within $patience s: $*" >&2
			return 1
		fi
		sleep 0.1
	done
}

# A process, told by its number, is gone or a zombie.
is_gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

switch_pid() {
	json version -- .switch.pid
}

switch_runs() {
	[ "$(json version -- .switch.state)" = running ]
}

port_runs() {
	[ "$(json port inspect "$1" -- .state)" = running ]
}

# ports_of NETWORK: their names, a line each, without the network's own.
ports_of() {
	ringway port ls --json |
		jq -r --arg n "$id-$1" '.. | objects | select(.network? == $n and .owner? == null) | .name'
}

has_ports() {
	[ "$(ports_of "$1" | wc -l)" = "$2" ]
}

# exchange_on NETWORK COUNT: so many ports, and all of them send and get frames, so that all of their queues live.
exchange_on() {
	local all
	all=$(json stats -- "[.ports[] | select(.network == \"$id-$1\" and .owner == null)]")
	jq -e --argjson n "$2" 'length == $n and all(.rx.frames > 0 and .tx.frames > 0)' <<<"$all"
}

# No container has a place: ringwayd collects them a little after their ports.
no_places() {
	[ -z "$(ringway ps --json | jq -r '.. | .key? // empty')" ]
}

# switch_replaced PID: another one than PID runs.
switch_replaced() {
	switch_runs && [ "$(switch_pid)" != "$1" ]
}

# ringwayd_start: starts the instance, again when it has ended; without a driver, where $driver is empty. Descriptor 3 is bats' own: nothing may keep it open.
ringwayd_start() {
	local engine=(--docker-name "$driver")
	[ -n "$driver" ] || engine=(--no-docker)
	setsid "$build/src/daemon/ringwayd" --run-dir "$run_dir" --state-dir "$state_dir" \
		"${engine[@]}" >>"$work/ringwayd.log" 2>&1 </dev/null 3>&- &
	echo $! >"$work/ringwayd.pid"
	poll switch_runs || {
		tail -n 20 "$work/ringwayd.log" >&2
		return 1
	}
}

ringwayd_pid() {
	cat "$work/ringwayd.pid"
}

# ringwayd_stop: with its switch.
ringwayd_stop() {
	local pid
	pid=$(ringwayd_pid)
	kill -INT "$pid" 2>/dev/null || true
	poll is_gone "$pid"
}

# engine_started: whether these tests started the engine, so that they may restart it.
engine_started() {
	[ -e "$work/engine/dockerd.started" ]
}

# smoke_start: an instance for this file.
smoke_start() {
	[ "$(id -u)" = 0 ] || skip 'needs root: an engine and sockets of containers'
	# Under /run, because a socket's path is short.
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=s$$
	run_dir=$work/run state_dir=$work/state driver=ringway-$id
	export work id run_dir state_dir driver
	"$top/tools/engine.sh" start "$work/engine" 3>&-
	"$top/tools/demo-image.sh" --add "$build/tests/tools/exchange:/usr/bin/exchange" "$image" 3>&-
	ringwayd_start
}

containers() {
	docker ps -aq --filter "name=^$id"
}

# smoke_stop: ends and removes all that the file made, whatever failed.
smoke_stop() {
	[ -n "${work:-}" ] || return 0
	local list pid
	mapfile -t list < <(containers)
	[ ${#list[@]} = 0 ] || docker rm -f "${list[@]}" >/dev/null
	pid=$(switch_pid 2>/dev/null) || true
	mapfile -t list < <(docker network ls -q --filter "driver=$driver")
	[ ${#list[@]} = 0 ] || docker network rm "${list[@]}" >/dev/null
	ringwayd_stop
	[ -z "$pid" ] || poll is_gone "$pid"
	"$top/tools/engine.sh" stop "$work/engine" 3>&-
	rm -rf "$work"
}

# run_exchange NAME NET MAC ARG..: a container with the exchange program, in the background. Both containers of an
# exchange share CPU 0, which leaves the others to the switch.
run_exchange() {
	local name=$id-$1 net=$2 mac=$3
	shift 3
	ringway run -d --name "$name" --network "$id-$net,mac=$mac" --cpuset-cpus 0 "$image" exchange "$@" >/dev/null
}

# result_of NAME: waits for the container; prints what the exchange program printed.
result_of() {
	local status
	status=$(timeout "${exchange_patience:-180}" docker wait "$id-$1")
	docker logs "$id-$1" 2>/dev/null | grep '^{' || true
	if [ "$status" != 0 ]; then
		echo "$id-$1 ended with status $status:" >&2
		docker logs "$id-$1" >&2
		return 1
	fi
}

# field NAME: of a JSON object on stdin.
field() {
	jq -er ".$1"
}

# assert_clean RESULT: nothing malformed, out of order, twice or foreign.
assert_clean() {
	local bad
	bad=$(jq -r '[.malformed, .misordered, .duplicated, .foreign] | add' <<<"$1")
	[ "$bad" = 0 ] || {
		echo "bad frames: $1" >&2
		return 1
	}
}

# dropped PORT..: the sum of their drops, whatever the reason.
dropped() {
	local port sum=0
	for port; do
		sum=$((sum + $(json stats "$port" -- '.ports[0].dropped')))
	done
	echo $sum
}

# The ports without what changes by itself: who polls them, and how many frames there were.
lasting_ports() { ringway port ls --json | jq 'del(.ports[].receive_queues)'; }

# refuse COMMAND..: it has to fail with status 1 and one line, and change nothing.
refuse() {
	local before after status=0
	before=$(ringway network ls --json && lasting_ports && docker network ls -q)
	"$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
	after=$(ringway network ls --json && lasting_ports && docker network ls -q)
	if [ "$status" != 1 ] || [ "$(wc -l <"$work/err")" != 1 ] || [ -s "$work/out" ]; then
		printf '%s\nstatus %s, stdout:\n%s\nstderr:\n%s\n' "$*" "$status" "$(cat "$work/out")" \
			"$(cat "$work/err")" >&2
		return 1
	fi
	[ "$before" = "$after" ] || {
		printf '%s\nchanged something:\n%s\n%s\n' "$*" "$before" "$after" >&2
		return 1
	}
}
