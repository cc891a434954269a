#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two containers with Debian's own dpdk-testpmd exchange frames over a Ringway network, and a third one on another
# network hears nothing of it. Starts what it needs, removes what it made. "make demo" builds and runs it.
#   DEMO_SECONDS=N    how long the table is shown (10)
#   BUILD=DIR         the build directory (build)
set -euo pipefail
umask 022
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"

seconds=${DEMO_SECONDS:-10}
build=${BUILD:-build}
image=ringway-demo
mac_generator=02:52:57:00:00:01
mac_forwarder=02:52:57:00:00:02
patience=30
step='start'
told=

die() {
	told=yes
	echo "demo: $1" >&2
	exit 1
}

say() {
	printf '\n== %s\n' "$1"
}

ringway() {
	"$build/src/cli/ringway" --run-dir "$work/run" "$@"
}

# poll COMMAND..: until it succeeds.
poll() {
	local end=$((SECONDS + patience))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# Nothing here may end the script: it has to try all.
clean_up() {
	local status=$?
	set +e
	trap '' INT TERM
	trap - EXIT
	[ $status = 0 ] || [ -n "$told" ] || echo "demo: failed to $step" >&2
	[ ${#containers[@]} = 0 ] || docker rm -f "${containers[@]}" >/dev/null 2>&1
	if [ -n "$ringwayd" ]; then
		for network in "${networks[@]}"; do
			poll ringway network rm "$network" || echo "demo: network $network is left behind" >&2
		done
		# The signal that ends the switch too.
		kill -INT "$ringwayd" 2>/dev/null
		wait "$ringwayd" 2>/dev/null
	fi
	[ -z "$made_image" ] || docker rmi "$image" >/dev/null 2>&1
	tools/engine.sh stop "$work/engine"
	if [ $status != 0 ] && [ $status != 130 ] && [ -s "$work/log" ]; then
		echo "(what the programs said:)" >&2
		tail -n 15 "$work/log" >&2
	fi
	rm -rf "$work"
	exit $status
}

check_machine() {
	[ "$(id -u)" = 0 ] || die 'only root can do this: containers, sockets, memory'
	if ! [ -x "$build/src/cli/ringway" ]; then
		make --no-print-directory build BUILD="$build"
	fi
	tools/setup.sh
}

# The CPUs that this process may use, a line each.
cpus() {
	taskset -pc $$ | sed 's/.*: //' | tr ',' '\n' | while IFS=- read -r first last; do
		seq "$first" "${last:-$first}"
	done
}

# The switch takes the last CPU. The containers get one each where there are enough, otherwise they share the first.
choose_cpus() {
	local all
	mapfile -t all < <(cpus)
	cpu_generator=${all[0]}
	cpu_forwarder=${all[0]}
	[ ${#all[@]} -lt 3 ] || cpu_forwarder=${all[1]}
	cpu_switch=${all[-1]}
	# Containers that share a CPU take turns of milliseconds: several queues hold frames enough for one turn.
	queues=1
	[ "$cpu_generator" != "$cpu_forwarder" ] || queues=${QUEUES:-8}
}

# The driver's own name, unless it belongs to somebody.
choose_driver() {
	driver=ringway
	if curl -s --max-time 2 --unix-socket /run/docker/plugins/ringway.sock http://localhost/ >/dev/null ||
		[ -n "$(docker network ls -q --filter driver=ringway)" ]; then
		driver=ringway-demo-$$
	fi
}

# free_name KIND WORD: the word, or something like it that no network (or container) of the engine has.
free_name() {
	if docker "$1" inspect "$2" >/dev/null 2>&1; then
		echo "$2-demo-$$"
	else
		echo "$2"
	fi
}

is_ready() {
	kill -0 "$ringwayd" && [ "$(ringway version --json | jq -r .switch.state)" = running ]
}

start_ringwayd() {
	step='start ringwayd'
	setsid "$build/src/daemon/ringwayd" --run-dir "$work/run" --state-dir "$work/state" --docker-name "$driver" \
		--switch-cores "$cpu_switch" >>"$work/log" 2>&1 </dev/null &
	ringwayd=$!
	poll is_ready
}

make_network() {
	step="create the network $1"
	ringway network create "$1" >>"$work/log" 2>&1
	networks+=("$1")
}

port_runs() {
	[ "$(ringway port inspect "$1" --json | jq -r .state)" = running ]
}

# forwards NAME PORT: the port's queues live before testpmd has buffers, so that its own first word counts too.
forwards() {
	port_runs "$2" && docker logs "$1" 2>&1 | grep -q 'Port statistics'
}

# start_testpmd NAME NETWORK MAC CPU TESTPMD-OPTION..: testpmd never rests, so the listener gets only the time that
# the others leave.
start_testpmd() {
	local name=$1 network=$2 mac=$3 cpu=$4 shares=1024
	[ "$name" != "$listener" ] || shares=2
	shift 4
	step="start the container $name"
	containers+=("$name")
	ringway run -d --name "$name" --cpuset-cpus "$cpu" --cpu-shares "$shares" \
		--network "$network,mac=$mac" --queues "$queues" \
		"$image" dpdk-testpmd -- --stats-period 1 --rxq="$queues" --txq="$queues" "$@" >>"$work/log" 2>&1
	poll forwards "$name" "$name.$network" ||
		die "the container $name does not reach its network: $(docker logs "$name" 2>&1 | tail -n 1)"
}

# The generator is told to begin through testpmd's own prompt: two bursts for each queue fill the rings of the
# other side exactly, and these frames then go round for ever. (--tx-first alone would send one burst.) A flow stays in one
# queue of its destination, so there are many.
start_generator() {
	step="start the container $generator"
	containers+=("$generator")
	mkfifo "$work/prompt"
	exec 9<>"$work/prompt"
	ringway run -i --name "$generator" --cpuset-cpus "$cpu_generator" \
		--network "$fast,mac=$mac_generator" --queues "$queues" \
		"$image" dpdk-testpmd -- -i --rxq="$queues" --txq="$queues" --forward-mode=mac --txonly-multi-flow \
		--eth-peer="0,$mac_forwarder" --rxd=1024 --txd=1024 --burst=512 <&9 >>"$work/log" 2>&1 9<&- &
	poll port_runs "$generator.$fast" ||
		die "the container $generator does not reach its network: $(docker logs "$generator" 2>&1 | tail -n 1)"
	echo 'start tx_first 2' >&9
}

# total FIELD PORT..: the sum of a counter.
total() {
	local field=$1
	shift
	ringway stats --json | jq --arg f "$field" '[.ports[] | select(.name | IN($ARGS.positional[])) |
		if $f == "dropped" then .dropped else .[$f].frames end] | add' --args "$@"
}

frames_move() {
	[ "$(total tx "$generator.$fast")" -gt 0 ]
}

show() {
	local before after start end
	poll frames_move || die 'the containers exchange nothing'
	step='read the counters'
	start=$(date +%s%N)
	before=$(total tx "$generator.$fast" "$forwarder.$fast")
	step='show the counters'
	ringway stats --watch --interval 1 --count "$seconds"
	step='read the counters'
	after=$(total tx "$generator.$fast" "$forwarder.$fast")
	end=$(date +%s%N)
	frames=$((after - before))
	rate=$((frames * 1000000 / ((end - start) / 1000)))
}

judge() {
	local heard lost
	step='read the counters'
	lost=$(total dropped "$generator.$fast" "$forwarder.$fast")
	heard=$(total tx "$listener.$other")
	echo
	[ "$frames" -gt 0 ] || die 'the containers exchanged nothing'
	echo "$generator and $forwarder exchanged $frames frames on '$fast', $rate a second ($lost dropped)"
	[ "$heard" = 0 ] || die "$listener on '$other' was given $heard frames"
	echo "$listener on '$other' was given none of them"
}

containers=() networks=() ringwayd='' made_image=''
work=$(mktemp -d /tmp/ringway-demo.XXXXXX)
trap clean_up EXIT
trap 'told=yes; echo; echo "demo: interrupted" >&2; exit 130' INT TERM

step='prepare this machine'
check_machine
step='start a container engine'
tools/engine.sh start "$work/engine"
step='make the demo image'
docker image inspect "$image" >/dev/null 2>&1 || made_image=yes
say "image $image: dpdk-testpmd of Debian and busybox, as they are installed here"
tools/demo-image.sh "$image"
choose_driver
choose_cpus
start_ringwayd
fast=$(free_name network fast)
other=$(free_name network other)
generator=$(free_name container generator)
forwarder=$(free_name container forwarder)
listener=$(free_name container listener)
say "networks $fast and $other"
make_network "$fast"
make_network "$other"
say "containers: $generator (CPU $cpu_generator) and $forwarder (CPU $cpu_forwarder) on $fast, $listener on $other; \
the switch has CPU $cpu_switch"
start_testpmd "$listener" "$other" 02:52:57:00:00:03 "$cpu_forwarder" --forward-mode=rxonly
start_testpmd "$forwarder" "$fast" "$mac_forwarder" "$cpu_forwarder" --forward-mode=mac \
	--eth-peer="0,$mac_generator" --rxd=1024 --txd=1024 --burst=512
start_generator
say "$seconds seconds"
show
judge
