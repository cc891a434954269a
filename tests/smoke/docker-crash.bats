# SPDX-License-Identifier: BSD-3-Clause
# Ordinary containers while something dies: containers, ringwayd, the switch, the engine. Traffic goes on or ends, and
# nothing is left behind.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"
# shellcheck source=tests/smoke/ordinary.bash
. "$BATS_TEST_DIRNAME/ordinary.bash"

cycles=${SMOKE_CYCLES:-10}

setup_file() {
	plain_start
	ringway network create "$id-fast" --subnet 10.231.0.0/24
	ringway network create "$id-other" --subnet 10.232.0.0/24
	poll docker network inspect "$id-fast" "$id-other"
}

teardown_file() {
	smoke_stop
}

teardown() {
	remove_containers
}

snapshot() {
	"$BATS_TEST_DIRNAME/leaks.sh" "$run_dir" "$state_dir" "$(ringwayd_pid)" "$(switch_pid)" "$driver"
}

is_as_before() {
	snapshot >"$work/after" && diff "$work/before" "$work/after"
}

nothing_left() {
	poll is_as_before || {
		diff "$work/before" "$work/after" >&2
		return 1
	}
}

no_containers_on() {
	[ -z "$(ringway port ls --json | jq -r --arg n "$id-$1" '.ports[] | select(.network == $n and .owner != "network") | .name')" ]
}

# load_start: a stream from b to a that says each second what it moved, for a minute.
load_start() {
	plain_run a --network "$id-fast" --ip 10.231.0.10 -- iperf3 -s
	plain_run b --network "$id-fast"
	poll in_container a sh -c "netstat -ltn | grep -q 5201"
	docker exec "$id-b" iperf3 -c 10.231.0.10 -t 60 -i 1 --forceflush >"$work/load" 2>&1 3>&- &
	load=$!
	poll load_moves
}

load_stop() {
	kill "$load" 2>/dev/null || true
	wait "$load" 2>/dev/null || true
}

# load_moves: a second passed in which frames did.
load_moves() {
	local lines
	lines=$(grep -c 'bits/sec' "$work/load")
	sleep 1.2
	[ "$(grep 'bits/sec' "$work/load" | tail -n +$((lines + 1)) | grep -vc ' 0.00 bits/sec')" -gt 0 ]
}

dpdk_start() {
	ringway run -d --name "$id-dpdk" --network "$id-fast,ip=10.231.0.99" --cpuset-cpus 0 "$image" \
		dpdk-testpmd -- --forward-mode=icmpecho --nb-cores=1 --stats-period 1 >/dev/null
}

@test "containers that come and go, some of them killed" {
	local i
	web a --network "$id-fast" -p 18180:80
	poll curl -sS --max-time 2 http://127.0.0.1:18180/
	docker rm -f "$id-a" >/dev/null
	poll no_containers_on fast
	snapshot >"$work/before"
	for ((i = 1; i <= cycles; i++)); do
		plain_run a --network "$id-fast" -p 18180:80
		docker network connect "$id-other" "$id-a"
		case $((i % 5)) in
		0) docker kill -s KILL "$id-a" && docker rm "$id-a" ;;
		1) docker rm -f "$id-a" ;;
		2) docker stop -t 0 "$id-a" && docker rm "$id-a" ;;
		3) kill -9 "$(docker inspect -f '{{.State.Pid}}' "$id-a")" && docker wait "$id-a" && docker rm "$id-a" ;;
		4) docker restart -t 0 "$id-a" && docker network disconnect "$id-other" "$id-a" && docker rm -f "$id-a" ;;
		esac >/dev/null
	done
	nothing_left
}

@test "networks that come and go leave nothing" {
	local i
	[ -e "$work/before" ]
	for ((i = 0; i < 5; i++)); do
		docker network create -d "$driver" --subnet "10.233.$i.0/24" "$id-n$i" >/dev/null
		docker run --rm --network "$id-n$i" -p 18181:80 "$plain" ping -c 1 -W 5 "10.233.$i.1" >/dev/null
		docker network rm "$id-n$i" >/dev/null
	done
	nothing_left
}

@test "a container joins and leaves networks under load" {
	local i
	load_start
	for ((i = 0; i < 5; i++)); do
		docker network connect "$id-other" "$id-b"
		docker network disconnect "$id-other" "$id-b"
		plain_run c --network "$id-fast"
		docker network disconnect "$id-fast" "$id-c"
		docker rm -f "$id-c" >/dev/null
	done
	load_moves
	# The one that carries the load goes: the stream ends, the containers do not.
	docker network disconnect "$id-fast" "$id-a"
	docker network connect --ip 10.231.0.10 "$id-fast" "$id-a"
	poll pings b 10.231.0.10
	load_stop
}

@test "ringwayd killed under load: traffic goes on, and the next one knows all of it" {
	local before pid
	load_start
	before=$(ringway port ls --json | jq -S '[.ports[] | [.name, .mac, .ip, .attach]]')
	pid=$(ringwayd_pid)
	kill -9 "$pid"
	poll is_gone "$pid"
	load_moves
	pings b 10.231.0.1
	ringwayd_start
	load_moves
	[ "$(ringway port ls --json | jq -S '[.ports[] | [.name, .mac, .ip, .attach]]')" = "$before" ]
	web c --network "$id-fast" -p 18182:80
	poll curl -sS --max-time 2 http://127.0.0.1:18182/
	[ "$(fetch b "http://$(address c fast)/")" = c ]
	load_stop
}

@test "ringwayd killed while containers end and are killed: the next one forgets their ports" {
	local pid a b rm
	[ -e "$work/before" ]
	web a --network "$id-fast" -p 18180:80
	web b --network "$id-fast"
	a=$(docker inspect -f '{{.State.Pid}}' "$id-a")
	b=$(docker inspect -f '{{.State.Pid}}' "$id-b")
	pid=$(ringwayd_pid)
	kill -9 "$pid"
	poll is_gone "$pid"
	docker rm -f "$id-a" >/dev/null 3>&- &
	rm=$!
	kill -9 "$b"
	poll is_gone "$a"
	poll is_gone "$b"
	# The engine waits half a minute for a driver that does not answer.
	ringwayd_start
	wait "$rm"
	poll no_containers_on fast
	plain_run a --network "$id-fast" -p 18180:80
	pings a 10.231.0.1
}

@test "the switch killed: interfaces go on, and those across it come back" {
	local old
	plain_run a --network "$id-fast"
	plain_run b --network "$id-fast"
	dpdk_start
	poll pings a 10.231.0.99
	old=$(switch_pid)
	kill -9 "$old"
	pings a "$(address b fast)"
	pings b 10.231.0.1
	poll switch_replaced "$old"
	docker rm -f "$id-dpdk" >/dev/null
	poll no_places
	dpdk_start
	poll pings a 10.231.0.99
	pings a "$(address b fast)"
}

@test "the engine restarts" {
	engine_started || skip 'an engine was running: it is left alone'
	web a --network "$id-fast" --restart always -p 18183:80
	poll curl -sS --max-time 2 http://127.0.0.1:18183/
	"$top/tools/engine.sh" stop "$work/engine" 3>&-
	"$top/tools/engine.sh" start "$work/engine" 3>&-
	poll curl -sS --max-time 2 http://127.0.0.1:18183/
	docker rm -f "$id-a" >/dev/null
	poll no_containers_on fast
}

# No Leave and no DeleteEndpoint ever come of an engine that was killed.
@test "the engine is killed, and its containers with it" {
	local pid containerd
	engine_started || skip 'an engine was running: it is left alone'
	web a --network "$id-fast" -p 18184:80 --ip 10.231.0.20
	read -r pid _ <"$work/engine/dockerd.started"
	containerd=$(pgrep -x -P "$pid" containerd)
	kill -9 "$pid"
	poll is_gone "$pid"
	poll is_gone "$containerd"
	[ "$(curl -sS --max-time 5 http://127.0.0.1:18184/)" = a ]
	# The next one would take these, if their numbers are used again, for running processes.
	rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid "$work/engine/dockerd.started"
	"$top/tools/engine.sh" start "$work/engine" 3>&-
	poll no_containers_on fast
	docker rm -f "$id-a" >/dev/null
	# Its address and its port are free again.
	web a --network "$id-fast" -p 18184:80 --ip 10.231.0.20
	poll curl -sS --max-time 2 http://127.0.0.1:18184/
}
