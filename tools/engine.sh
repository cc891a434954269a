#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A container engine for the demo and the tests on a machine where none runs. One that answers is left as it is.
#   tools/engine.sh start DIR    starts dockerd when none answers; notes in DIR what it started
#   tools/engine.sh stop DIR     stops what that started, and nothing else
# With ENGINE_RULES=1 in the environment, the engine that is started sets its rules for the host's firewall, as it does by default.
set -euo pipefail

config=/etc/docker/daemon.json

die() {
	echo "engine: $1" >&2
	exit 1
}

answers() {
	timeout 10 docker version >/dev/null 2>&1
}

# No rule of the host's firewall is touched, unless that is asked for: Ringway's containers need none. Docker refuses an option that its
# configuration file has too. docker0 is left alone where an engine that is not running has made it.
choose_options() {
	options=()
	if [ ! -e "$config" ]; then
		[ -z "${ENGINE_RULES:-}" ] || return 0
		options=(--iptables=false --ip6tables=false)
		[ -e /sys/class/net/docker0 ] || options+=(--bridge=none)
	fi
}

# When a process was started, in clock ticks since boot: with its number, its identity.
start_time() {
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

start() {
	local dir=$1 pid
	if answers; then
		return
	fi
	command -v dockerd >/dev/null || die 'no dockerd: install the package docker.io'
	[ "$(id -u)" = 0 ] || die 'no engine answers, and only root can start one'
	mkdir -p "$dir"
	choose_options
	setsid dockerd "${options[@]}" >"$dir/dockerd.log" 2>&1 </dev/null &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		if answers; then
			echo "$pid $(start_time "$pid")" >"$dir/dockerd.started"
			return
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill "$pid" 2>/dev/null || true
	die "dockerd does not start: $(tail -n 1 "$dir/dockerd.log")"
}

stop() {
	local dir=$1 pid started
	[ -e "$dir/dockerd.started" ] || return 0
	read -r pid started <"$dir/dockerd.started"
	rm "$dir/dockerd.started"
	[ "$(start_time "$pid")" = "$started" ] || return 0
	kill "$pid"
	for ((i = 0; i < 300; i++)); do
		[ -e "/proc/$pid" ] || return 0
		sleep 0.1
	done
	die "dockerd (process $pid) does not stop"
}

case ${1:-}:${2:+dir} in
start:dir) start "$2" ;;
stop:dir) stop "$2" ;;
*) die 'usage: tools/engine.sh start|stop DIR' ;;
esac
