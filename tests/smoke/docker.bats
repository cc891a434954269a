# SPDX-License-Identifier: BSD-3-Clause
# Ordinary containers by Docker: on one network with a DPDK application and the host, and all that Docker's users expect
# of a network.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"
# shellcheck source=tests/smoke/ordinary.bash
. "$BATS_TEST_DIRNAME/ordinary.bash"

setup_file() {
	plain_start
	ringway network create "$id-fast" --subnet 10.211.0.0/24 --ipv6-subnet fd00:211::/64 --gateway 10.211.0.1 --gateway fd00:211::1
	ringway network create "$id-other" --subnet 10.212.0.0/24
	poll docker network inspect "$id-fast" "$id-other"
}

teardown_file() {
	smoke_stop
}

setup() {
	plain_client
}

teardown() {
	remove_containers
}

# agree NETWORK: both sides say the same of it.
agree() {
	local ours theirs
	ours=$(ringway network inspect "$id-$1" | jq -Sc '[.subnet, .gateway, .subnet6, .gateway6, .ip_range, .internal, .aux // {}]')
	theirs=$(docker network inspect "$id-$1" | jq -Sc '.[0] | [.IPAM.Config[]] as $c |
		($c | map(select(.Subnet | contains(":") | not)) | first) as $four |
		($c | map(select(.Subnet | contains(":"))) | first) as $six |
		[$four.Subnet, $four.Gateway, $six.Subnet, $six.Gateway, ($c | map(.IPRange // empty) | first), .Internal,
			($c | map(.AuxiliaryAddresses // {}) | add)]')
	[ "$ours" = "$theirs" ] || {
		printf 'ringway says %s\ndocker says  %s\n' "$ours" "$theirs" >&2
		return 1
	}
}

@test "two doors to a network: docker network create" {
	docker network create -d "$driver" --ipv6 --subnet 10.213.0.0/24 --gateway 10.213.0.9 --ip-range 10.213.0.128/25 \
		--subnet fd00:213::/64 --gateway fd00:213::9 --aux-address router=10.213.0.5 --aux-address r6=fd00:213::5 \
		--internal -o mtu=1400 -o ringway.proxy-neighbors=on "$id-d" >/dev/null
	poll ringway network inspect "$id-d"
	poll agree d
	json network inspect "$id-d" -- 'select(.mtu == 1400 and .internal and .proxy_neighbors)'
	docker network rm "$id-d" >/dev/null
	run ! ringway network inspect "$id-d"
}

@test "two doors to a network: ringway network create" {
	ringway network create "$id-r" --subnet 10.213.0.0/24 --gateway 10.213.0.9 --ip-range 10.213.0.128/25 \
		--ipv6-subnet fd00:213::/64 --gateway fd00:213::9 --aux-address router=10.213.0.5 --aux-address r6=fd00:213::5 \
		--internal --mtu 1400 --proxy-neighbors
	poll docker network inspect "$id-r"
	agree r
	docker network inspect "$id-r" | jq -e '.[0].Options | .["ringway.proxy-neighbors"] == "on" and .mtu == "1400"'
	ringway network rm "$id-r"
	run ! docker network inspect "$id-r"
}

@test "two doors to a network: nothing but a name" {
	docker network create -d "$driver" "$id-d" >/dev/null
	poll ringway network inspect "$id-d"
	ringway network inspect "$id-d" | jq -e --argjson d "$(docker network inspect "$id-d")" \
		'.subnet == $d[0].IPAM.Config[0].Subnet and .gateway == $d[0].IPAM.Config[0].Gateway'
	docker network rm "$id-d" >/dev/null
}

@test "refused: options that there are not" {
	refuse docker network create -d "$driver" --subnet 10.213.0.0/24 -o mut=1500 "$id-x"
	grep -F "option 'mut' is unknown" "$work/err"
	refuse docker network create -d "$driver" --subnet 10.211.0.0/25 "$id-x"
	refuse docker network create -d "$driver" --subnet 10.213.0.0/24 -o ringway.vlan=5000 "$id-x"
	run ! docker run --rm --network "name=$id-fast,driver-opt=ringway.queues=4" "$plain" true
	[[ $output == *ringway.queues* ]]
	run ! docker run --rm --network "name=$id-fast,driver-opt=ringway.quues=4" "$plain" true
	[[ $output == *"'ringway.quues' is unknown"* ]]
	poll has_no_ports_of_containers fast
}

# The network's own port stays.
has_no_ports_of_containers() {
	[ -z "$(ringway port ls --json | jq -r --arg n "$id-$1" '.ports[] | select(.network == $n and .owner != "network") | .name')" ]
}

@test "ordinary containers, a DPDK application and the host: all pairs talk, all ports count" {
	local a b d port
	web a --network "$id-fast"
	web b --network "$id-fast"
	ringway run -d --name "$id-dpdk" --network "$id-fast,ip=10.211.0.99" --cpuset-cpus 0 "$image" \
		dpdk-testpmd -- --forward-mode=icmpecho --nb-cores=1 --stats-period 1 >/dev/null
	a=$(address a fast) b=$(address b fast) d=10.211.0.99
	poll port_runs "$(port_at fast $d)"
	poll fetch a "http://$b/"
	poll fetch b "http://$a/"
	poll pings a $d
	pings b $d
	pings a "$b"
	pings b "$a"
	pings a 10.211.0.1
	pings b 10.211.0.1
	ping -c 2 -W 5 "$a" >/dev/null
	ping -c 2 -W 5 "$b" >/dev/null
	ping -c 2 -W 5 $d >/dev/null
	[ "$(curl -sS --max-time 10 "http://$a/")" = a ]
	for port in "$(port_at fast "$a")" "$(port_at fast "$b")" "$(port_at fast $d)" "$(port_at fast 10.211.0.1)"; do
		ringway port ls --json | jq -e --arg p "$port" '.ports[] | select(.name == $p).state == "running"'
		ringway stats "$port" --json | jq -e '.ports[0] | .rx.frames > 0 and .tx.frames > 0 and .rx.bytes > 0 and .tx.bytes > 0'
	done
	ringway port ls --json | jq -e --arg n "$id-fast" '[.ports[] | select(.network == $n) | .attach] | sort == ["kernel", "kernel", "kernel", "vhost"]'
	# A frame is counted once, and by its size.
	port=$(port_at fast "$a")
	before=$(json stats "$port" -- '.ports[0].rx.frames')
	in_container a ping -c 10 -i 0.1 -s 1000 "$b" >/dev/null
	after=$(json stats "$port" -- '.ports[0].rx.frames')
	[ $((after - before)) -ge 10 ]
	[ $((after - before)) -le 20 ]
}

@test "large packets between ordinary containers" {
	plain_run a --network "$id-fast"
	plain_run b --network "$id-fast"
	pings a "$(address b fast)" -s 65000
	pings b "$(address a fast GlobalIPv6Address)" -s 65000
}

@test "TCP at full speed between ordinary containers, whole" {
	plain_run a --network "$id-fast"
	plain_run b --network "$id-fast" -- iperf3 -s
	poll in_container a iperf3 -c "$id-b" -t 1 -P 2 --connect-timeout 2000
	# A file crosses as it is.
	in_container b sh -c 'head -c 50000000 /dev/urandom >/tmp/f && md5sum </tmp/f >/tmp/sum'
	in_container b socat -u OPEN:/tmp/f TCP-LISTEN:7000 3>&- &
	poll in_container a sh -c "socat -u TCP:$id-b:7000 CREATE:/tmp/f && [ -s /tmp/f ]"
	wait $!
	[ "$(in_container a sh -c 'md5sum </tmp/f')" = "$(in_container b cat /tmp/sum)" ]
}

@test "names and aliases resolve" {
	web a --network "$id-fast"
	web b --network "$id-fast" --network-alias www
	poll fetch a "http://$id-b/"
	[ "$(fetch a "http://$id-b/")" = b ]
	[ "$(fetch a "http://www/")" = b ]
	[ "$(fetch b "http://$id-a/")" = a ]
	run ! fetch a http://nobody/
}

@test "docker network inspect and ringway show the same addresses" {
	local name
	plain_run a --network "$id-fast"
	plain_run b --network "$id-fast" --ip 10.211.0.77 --ip6 fd00:211::77
	[ "$(address b fast)" = 10.211.0.77 ]
	[ "$(address b fast GlobalIPv6Address)" = fd00:211::77 ]
	docker network inspect "$id-fast" | jq -e '[.[0].Containers[].IPv4Address] | length == 2 and index("10.211.0.77/24") != null'
	for name in a b; do
		ringway port inspect "$(port_at fast "$(address $name fast)")" | jq -e --arg m "$(address $name fast MacAddress)" \
			--arg i "$(address $name fast GlobalIPv6Address)/64" '.mac == $m and .ip6 == $i and .attach == "kernel"'
	done
}

@test "a static address that is taken is refused, by Docker and by Ringway" {
	plain_run a --network "$id-fast" --ip 10.211.0.50
	run ! docker run --rm --network "$id-fast" --ip 10.211.0.50 "$plain" true
	[[ $output == *already* ]]
	run ! docker run --rm --network "$id-fast" --ip 10.219.0.50 "$plain" true
	ringway port add "$id-mine" --network "$id-fast" --attach vhost --ip 10.211.0.51 >/dev/null
	run ! docker run --rm --network "$id-fast" --ip 10.211.0.51 "$plain" true
	[[ $output == *10.211.0.51* ]]
	pings a 10.211.0.1
	ringway port rm "$id-mine"
	docker run --rm --network "$id-fast" --ip 10.211.0.51 "$plain" true
}

@test "MAC addresses: given, kept, and refused when taken" {
	$client run -d --init --name "$id-a" --network "$id-fast" --mac-address 02:aa:00:00:00:01 "$plain" sleep 3600 >/dev/null
	[ "$(in_container a cat /sys/class/net/eth0/address)" = 02:aa:00:00:00:01 ]
	[ "$(json port inspect "$(port_at fast "$(address a fast)")" -- .mac)" = 02:aa:00:00:00:01 ]
	plain_run b --network "name=$id-fast,driver-opt=ringway.mac=02:aa:00:00:00:02"
	[ "$(in_container b cat /sys/class/net/eth0/address)" = 02:aa:00:00:00:02 ]
	pings b "$(address a fast)"
	run ! $client run --rm --network "$id-fast" --mac-address 02:aa:00:00:00:01 "$plain" true
	[[ $output == *02:aa:00:00:00:01* ]]
	docker restart -t 0 "$id-a" >/dev/null
	[ "$(in_container a cat /sys/class/net/eth0/address)" = 02:aa:00:00:00:01 ]
	pings b "$(address a fast)"
}

@test "other source addresses are dropped and counted" {
	local port
	plain_run a --network "$id-fast" --cap-add NET_ADMIN
	plain_run b --network "$id-fast"
	port=$(port_at fast "$(address a fast)")
	pings a "$(address b fast)"
	in_container a sh -c 'ip link set eth0 down && ip link set eth0 address 02:bb:00:00:00:09 && ip link set eth0 up'
	run ! in_container a ping -c 2 -W 1 "$(address b fast)"
	ringway stats "$port" --json | jq -e '.ports[0] | .dropped > 0 and ([.drops | to_entries[] | select(.key | test("source"))] | length > 0)'
}

@test "several networks, joined and left while the container runs" {
	web a --network "$id-fast"
	web b --network "$id-other"
	run ! in_container a curl -sS --max-time 2 "http://$(address b other)/"
	docker network connect "$id-other" "$id-a"
	[ "$(fetch a "http://$(address b other)/")" = b ]
	[ "$(fetch b "http://$id-a/")" = a ]
	in_container a ls /sys/class/net/eth1 >/dev/null
	[ "$(in_container a cat /sys/class/net/eth1/mtu)" = 1500 ]
	docker network disconnect "$id-other" "$id-a"
	run ! in_container a ls /sys/class/net/eth1
	run ! fetch b "http://$id-a/"
	docker network connect --ip 10.212.0.66 --driver-opt ringway.name="$id-named" "$id-other" "$id-a"
	json port inspect "$id-named" -- 'select(.ip == "10.212.0.66/24")'
	[ "$(fetch b http://10.212.0.66/)" = a ]
	docker network disconnect "$id-fast" "$id-a"
	[ "$(fetch b http://10.212.0.66/)" = a ]
	poll has_no_ports_of_containers fast
}

# one_port NETWORK: of a container.
one_port() {
	[ "$(ringway port ls --json | jq --arg n "$id-$1" '[.ports[] | select(.network == $n and .owner != "network")] | length')" = 1 ]
}

@test "containers that stop, start, are restarted, killed and removed" {
	local before
	web a --network "$id-fast" --ip 10.211.0.70
	plain_run b --network "$id-other"
	poll curl -sS --max-time 2 http://10.211.0.70/
	docker stop -t 0 "$id-a" >/dev/null
	poll has_no_ports_of_containers fast
	docker start "$id-a" >/dev/null
	poll curl -sS --max-time 2 http://10.211.0.70/
	one_port fast
	docker restart -t 0 "$id-a" >/dev/null
	poll curl -sS --max-time 2 http://10.211.0.70/
	one_port fast
	docker pause "$id-a" >/dev/null
	docker unpause "$id-a" >/dev/null
	poll curl -sS --max-time 2 http://10.211.0.70/
	docker kill "$id-a" >/dev/null
	poll has_no_ports_of_containers fast
	docker start "$id-a" >/dev/null
	kill -9 "$(docker inspect -f '{{.State.Pid}}' "$id-a")"
	poll has_no_ports_of_containers fast
	docker start "$id-a" >/dev/null
	poll curl -sS --max-time 2 http://10.211.0.70/
	docker rm -f "$id-a" >/dev/null
	poll has_no_ports_of_containers fast
	run ! docker run --rm --name "$id-f" --network "$id-fast" "$plain" /no/such/program
	poll has_no_ports_of_containers fast
}

# frames_of SIZE: NETWORK's MTU is SIZE, and packets of just that size pass, larger ones do not.
frames_of() {
	ringway network create "$id-m" --subnet 10.214.0.0/24 --mtu "$1"
	poll docker network inspect "$id-m"
	plain_run a --network "$id-m"
	plain_run b --network "$id-m"
	[ "$(in_container a cat /sys/class/net/eth0/mtu)" = "$1" ]
	pings a "$(address b m)" -s $(($1 - 28))
	pings a 10.214.0.1 -s $(($1 - 28))
	pings a 10.214.0.1 -s 20000
	remove_containers
	docker network rm "$id-m" >/dev/null
}

@test "MTU 1400" {
	frames_of 1400
}

@test "MTU 9000" {
	frames_of 9000
}

@test "IPv6: between containers, with the host, by name" {
	web a --network "$id-fast"
	web b --network "$id-fast"
	poll pings a "$(address b fast GlobalIPv6Address)"
	[ "$(fetch a "http://[$(address b fast GlobalIPv6Address)]/")" = b ]
	poll pings a fd00:211::1
	poll ping -6 -c 1 -W 2 "$(address a fast GlobalIPv6Address)"
	[ "$(in_container a curl -6 -sS --max-time 5 "http://$id-b/")" = b ]
	in_container a ip -6 route | grep -q '^default via fd00:211::1 '
}

@test "a network without addresses" {
	docker network create -d "$driver" --ipam-driver null "$id-n" >/dev/null
	poll ringway network inspect "$id-n"
	plain_run a --network "$id-n" --cap-add NET_ADMIN
	plain_run b --network "$id-n" --cap-add NET_ADMIN
	in_container a ip addr add 10.215.0.1/24 dev eth0
	in_container b ip addr add 10.215.0.2/24 dev eth0
	pings a 10.215.0.2
	run ! in_container a ip link show docker_gwbridge
	[ "$(in_container a ls /sys/class/net | grep -c eth)" = 1 ]
	remove_containers
	docker network rm "$id-n" >/dev/null
}

@test "ringway run with an ordinary interface beside the DPDK port" {
	web b --network "$id-other"
	ringway run -d --name "$id-dpdk" --network "$id-fast,ip=10.211.0.99" --network "$id-other,attach=kernel" \
		--cpuset-cpus 0 "$image" dpdk-testpmd -- --forward-mode=icmpecho --nb-cores=1 --stats-period 1 >/dev/null
	plain_run a --network "$id-fast"
	poll pings a 10.211.0.99
	docker exec "$id-dpdk" sh -c "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 $(address b other) 80" | grep -qx b
	docker exec "$id-dpdk" cat /run/ringway/manifest.json | jq -e '.ports | length == 1'
	ringway ps --json | jq -e --arg n "$id-dpdk" '.containers[] | select(.name == $n) | [.ports[].attach] | sort == ["kernel", "vhost"]'
	docker rm -f "$id-dpdk" "$id-a" >/dev/null
	poll no_places
	poll has_no_ports_of_containers fast
}
