# SPDX-License-Identifier: BSD-3-Clause
# The ways in and out of a network of ordinary containers: published ports, address translation, and what has none.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"
# shellcheck source=tests/smoke/ordinary.bash
. "$BATS_TEST_DIRNAME/ordinary.bash"

requests=${SMOKE_REQUESTS:-200}

setup_file() {
	plain_start
	outside_start
	kernel_state >"$work/state-before"
	ringway network create "$id-fast" --subnet 10.221.0.0/24 --ipv6-subnet fd00:221::/64 --gateway 10.221.0.1 --gateway fd00:221::1
	ringway network create "$id-other" --subnet 10.222.0.0/24
	ringway network create "$id-in" --subnet 10.223.0.0/24 --gateway 10.223.0.1 --internal \
		--ipv6-subnet fd00:223::/64 --gateway fd00:223::1
	poll docker network inspect "$id-fast" "$id-other" "$id-in"
}

teardown_file() {
	outside_stop
	smoke_stop
}

teardown() {
	remove_containers
}

get() {
	curl -sS --max-time 5 "$1"
}

outside_get() {
	from_outside curl -sS --max-time 5 "$1"
}

# published NAME NETWORK FILTER: the port's list through jq.
published() {
	json port inspect "$(port_at "$2" "$(address "$1" "$2")")" -- ".published | $3"
}

@test "tcp: from outside, from the host, by localhost, hairpin, from the neighbour" {
	web a --network "$id-fast" -p 18080:80
	web b --network "$id-fast"
	poll fetch b "http://$id-a/"
	[ "$(outside_get http://198.18.0.1:18080/)" = a ]
	[ "$(get http://198.18.0.1:18080/)" = a ]
	[ "$(get http://127.0.0.1:18080/)" = a ]
	[ "$(get http://localhost:18080/)" = a ]
	[ "$(fetch a http://198.18.0.1:18080/)" = a ]
	[ "$(fetch b http://198.18.0.1:18080/)" = a ]
	[ "$(fetch a http://10.221.0.1:18080/)" = a ]
	published a fast '.[0] | .proto == "tcp" and .host_port == 18080 and .container_port == 80'
	docker stop -t 0 "$id-a" >/dev/null
	run ! get http://127.0.0.1:18080/
	docker start "$id-a" >/dev/null
	poll outside_get http://198.18.0.1:18080/
}

@test "IPv6: from outside, from the host, hairpin" {
	web a --network "$id-fast" -p 18081:80
	poll get "http://[$(address a fast GlobalIPv6Address)]/"
	[ "$(outside_get 'http://[2001:db8:18::1]:18081/')" = a ]
	[ "$(get 'http://[2001:db8:18::1]:18081/')" = a ]
	[ "$(fetch a 'http://[2001:db8:18::1]:18081/')" = a ]
	[ "$(outside_get http://198.18.0.1:18081/)" = a ]
}

@test "udp, and a range of ports" {
	local port
	plain_run a --network "$id-fast" -p 19000-19003:9000-9003/udp -- sh -c \
		"for p in 0 1 2 3; do socat UDP4-RECVFROM:900\$p,fork SYSTEM:\"echo port 900\$p\" & done; wait"
	for port in 0 1 2 3; do
		poll udp_answers 198.18.0.1 "$port" from_outside
		poll udp_answers 198.18.0.1 "$port"
		poll udp_answers 127.0.0.1 "$port"
	done
	published a fast 'length == 4 and ([.[].host_port] | sort == [19000, 19001, 19002, 19003]) and all(.proto == "udp")'
}

# udp_answers ADDRESS NUMBER [COMMAND]: the container's port of that number does.
udp_answers() {
	[ "$(echo x | ${3:-} timeout 5 socat -t 0.3 - "UDP4:$1:1900$2")" = "port 900$2" ]
}

# says_ready FILE
says_ready() {
	grep -qx ready "$1"
}

# Kernels without SCTP sockets translate it all the same, if their conntrack knows it.
@test "sctp: a handshake's packets, translated both ways" {
	local container answers
	conntrack -L -p sctp >/dev/null 2>&1 || skip "this kernel's conntrack does not know SCTP"
	plain_run a --network "$id-fast" -p 19005:5000/sctp
	published a fast '.[0] | .proto == "sctp" and .host_port == 19005 and .container_port == 5000'
	container=$(docker inspect -f '{{.State.Pid}}' "$id-a")
	nsenter -t "$container" -n "$BATS_TEST_DIRNAME/sctp.py" answer 5000 >"$work/sctp" 3>&- &
	answers=$!
	poll says_ready "$work/sctp"
	[ "$(from_outside "$BATS_TEST_DIRNAME/sctp.py" ask 198.18.0.1 19005)" = "198.18.0.1 198.18.0.2 19005 43210" ]
	wait $answers
	[ "$(tail -n 1 "$work/sctp")" = "198.18.0.2 $(address a fast) 43210 5000" ]
}

@test "one of the host's addresses, the first free of a range, and any free port" {
	local port
	web a --network "$id-fast" -p 127.0.0.1:18082:80 -p 18090-18095:81
	web b --network "$id-fast" -p 18090-18095:80 -P --expose 80
	poll fetch a "http://$id-b/"
	poll fetch b "http://$id-a/"
	[ "$(get http://127.0.0.1:18082/)" = a ]
	run ! outside_get http://198.18.0.1:18082/
	[ "$(published a fast '.[] | select(.container_port == 81) | .host_port')" = 18090 ]
	port=$(published b fast '[.[] | select(.container_port == 80) | .host_port] | first')
	[ "$(outside_get "http://198.18.0.1:$port/")" = b ]
	web c --network "$id-fast" -P --expose 80
	port=$(published c fast '.[0].host_port')
	poll outside_get "http://198.18.0.1:$port/"
	[ "$(outside_get "http://198.18.0.1:$port/")" = c ]
}

@test "exposed ports alone publish nothing" {
	web a --network "$id-fast" --expose 80
	ringway port inspect "$(port_at fast "$(address a fast)")" | jq -e '.published // [] == []'
}

@test "refused: a port that is taken, in one line, and it is free again afterwards" {
	web a --network "$id-fast" -p 18083:80
	run ! docker run --rm --network "$id-fast" -p 18083:80 "$plain" true
	[ "$(grep -c '18083/tcp' <<<"$output")" = 1 ]
	[ "$(fetch a "http://198.18.0.1:18083/")" = a ]
	docker rm -f "$id-a" >/dev/null
	socat TCP-LISTEN:18083 /dev/null 3>&- &
	local listener=$!
	poll listens 18083
	run ! docker run --rm --network "$id-fast" -p 18083:80 "$plain" true
	kill $listener
	wait $listener || true
	docker run --rm --network "$id-fast" -p 18083:80 "$plain" true
}

listens() {
	ss -Hltn "sport = :$1" | grep -q .
}

@test "published on another network than the first one: the one with the gateway has it" {
	web a --network "$id-in" -p 18084:80
	run ! outside_get http://198.18.0.1:18084/
	docker network connect "$id-fast" "$id-a"
	poll outside_get http://198.18.0.1:18084/
	docker network disconnect "$id-fast" "$id-a"
	run ! outside_get http://198.18.0.1:18084/
}

@test "$requests requests through a published port, none failed" {
	web a --network "$id-fast" -p 18085:80
	poll outside_get http://198.18.0.1:18085/
	from_outside curl -sS -Z --parallel-max 8 --max-time 300 -H 'Connection: close' -o /dev/null -w '%{http_code}\n' \
		"http://198.18.0.1:18085/?[1-$requests]" >"$work/codes" 2>"$work/curl.err" || true
	[ "$(grep -c '^200$' "$work/codes")" = "$requests" ] || {
		sort "$work/codes" | uniq -c >&2
		head -n 5 "$work/curl.err" >&2
		return 1
	}
}

@test "the way out: by the host's address" {
	plain_run a --network "$id-fast"
	pings a 198.18.0.2
	pings a 2001:db8:18::2
	from_outside socat -u OPEN:/etc/hostname TCP-LISTEN:7001 3>&- &
	local listener=$!
	poll in_container a sh -c "socat -u TCP:198.18.0.2:7001 - | grep -q ."
	wait $listener
	from_outside timeout 20 tcpdump -c 1 -ni eth0 icmp and host 198.18.0.2 >"$work/seen" 2>/dev/null 3>&- &
	listener=$!
	poll pings a 198.18.0.2
	wait $listener
	grep -q 'IP 198.18.0.1 > 198.18.0.2' "$work/seen"
}

@test "outside does not reach a container by its address" {
	web a --network "$id-fast"
	poll get "http://$(address a fast)/"
	run ! outside_get "http://$(address a fast)/"
}

# none_succeeds PID..: they end, and each fails.
none_succeeds() {
	local pid bad=0
	for pid; do
		! wait "$pid" || bad=1
	done
	return $bad
}

@test "an internal network: its containers talk, with no way out or in" {
	local other reached=()
	web a --network "$id-in" --cap-add NET_ADMIN -p 18086:80
	web b --network "$id-in"
	poll fetch a "http://$id-b/"
	run ! in_container a ip route get 198.18.0.2
	run ! in_container a ping -c 1 -W 1 198.18.0.2
	run ! get http://127.0.0.1:18086/
	[ "$(in_container a ls /sys/class/net | grep -c eth)" = 1 ]
	pings a 10.223.0.1
	pings a fd00:223::1
	[ -z "$(in_container a ip -6 route show default)" ]
	# Not even with a route that it makes itself, to whoever is beyond the host, nor to the host's other addresses.
	in_container a ip route add default via 10.223.0.1
	in_container a ip -6 route add default via fd00:223::1
	# All at once: each one waits for an answer that does not come.
	for other in 198.18.0.1 10.221.0.1 2001:db8:18::1 2001:db8:18::2 fd00:221::1; do
		in_container a ping -c 1 -W 1 $other &
		reached+=($!)
	done
	none_succeeds "${reached[@]}"
	run ! in_container a ping -c 2 -W 1 198.18.0.2
	run ! in_container a curl -sS --max-time 1 "http://198.18.0.2/"
	web c --network "$id-fast"
	poll get "http://$(address c fast)/"
	run ! in_container a curl -sS --max-time 1 "http://$(address c fast)/"
	run ! in_container c curl -sS --max-time 1 "http://$(address a in)/"
	run ! outside_get "http://$(address a in)/"
	web d --network "$id-fast" -p 18088:80
	poll outside_get http://198.18.0.1:18088/
	reached=()
	for other in 198.18.0.1 10.223.0.1 '[2001:db8:18::1]' '[fd00:223::1]'; do
		in_container a curl -sS --max-time 1 "http://$other:18086/" &
		reached+=($!)
		in_container a curl -sS --max-time 1 "http://$other:18088/" &
		reached+=($!)
	done
	none_succeeds "${reached[@]}"
	docker inspect "$id-a" | jq -e '.[0].HostConfig.PortBindings["80/tcp"][0].HostPort == "18086"'
	[ "$(published a in length)" = 0 ]
}

@test "two networks do not reach each other" {
	web a --network "$id-fast" -p 18087:80
	web b --network "$id-other" --cap-add NET_ADMIN
	poll outside_get http://198.18.0.1:18087/
	poll get "http://$(address b other)/"
	run ! in_container b curl -sS --max-time 2 "http://$(address a fast)/"
	run ! in_container a curl -sS --max-time 1 "http://$(address b other)/"
	run ! in_container b ping -c 1 -W 1 "$(address a fast)"
	run ! in_container b curl -sS --max-time 2 "http://$id-a/"
	# Not by the host as the next hop either.
	in_container b ip route add 10.221.0.0/24 via 10.222.0.1
	run ! in_container b ping -c 1 -W 1 "$(address a fast)"
	run ! in_container b curl -sS --max-time 2 "http://$(address a fast)/"
}

@test "all of it is gone with the networks" {
	remove_containers
	docker network rm "$id-fast" "$id-other" "$id-in" >/dev/null
	kernel_state >"$work/state-after"
	diff "$work/state-before" "$work/state-after"
}
