# SPDX-License-Identifier: BSD-3-Clause
# DPDK's virtio-user in each of its ways to drive a ring, without containers: the exchange program on the host against
# ports of an instance of this file's own. Every frame is counted: what does not arrive is a drop that the switch counted.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

mac_a=02:00:00:00:08:01
mac_b=02:00:00:00:08:02
wide=--force-max-simd-bitwidth=512

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: a switch'
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=s$$
	run_dir=$work/run state_dir=$work/state driver=
	export work id run_dir state_dir driver
	ringwayd_start
	ringway network create "$id-fast" --mtu 9000
	ringway port add a --network "$id-fast" --attach vhost --mac $mac_a --queues 4
	ringway port add b --network "$id-fast" --attach vhost --mac $mac_b --queues 4
}

teardown_file() {
	[ -n "${work:-}" ] || return 0
	local pid
	pid=$(switch_pid 2>/dev/null) || true
	ringwayd_stop
	[ -z "$pid" ] || poll is_gone "$pid"
	rm -rf "$work"
}

# front_end PORT MAC PEER DEVICE-OPTIONS ARG..: both front ends share CPU 0, which leaves the others to the switch.
front_end() {
	local port=$1 mac=$2 peer=$3 device=$4
	shift 4
	timeout 60 taskset -c 0 "$build/tests/tools/exchange" -l 0 --no-pci --no-telemetry --no-huge -m 128 --no-shconf $wide \
		--log-level='pmd.net.virtio.*:info' \
		--vdev="virtio_user0,path=$run_dir/ports/$port/vhost.sock,mac=$mac,$device" \
		both -- --peer "$peer" --wait 20 "$@" >"$work/$port.out" 2>"$work/$port.log" 3>&-
}

# uses PORT PATH..: the driver chose these ways to send and to receive.
uses() {
	local port=$1 way
	shift
	for way; do
		grep -q "using $way" "$work/$port.log" || {
			echo "port $port does not use the $way:" >&2
			grep -i 'using' "$work/$port.log" >&2
			return 1
		}
	done
}

# counted RESULT FRAMES LOST-MOST: all were sent, none came damaged, out of order or twice; what is missing was counted.
counted() {
	assert_clean "$1"
	jq -e --argjson n "$2" --argjson most "$3" \
		'.end == "complete" and .sent == $n and .received + .lost == $n and .lost <= $most' <<<"$1"
}

# exchange DEVICE-A DEVICE-B FRAMES ARG..: both ways at once.
exchange() {
	local device_a=$1 device_b=$2 frames=$3 before after pid
	shift 3
	before=$(dropped a b)
	front_end a $mac_a $mac_b "$device_a" --frames "$frames" "$@" &
	pid=$!
	front_end b $mac_b $mac_a "$device_b" --frames "$frames" "$@" || {
		cat "$work/b.out" "$work/b.log" >&2
		wait $pid || true
		return 1
	}
	wait $pid || {
		cat "$work/a.out" "$work/a.log" >&2
		return 1
	}
	after=$(dropped a b)
	counted "$(cat "$work/a.out")" "$frames" $((after - before))
	counted "$(cat "$work/b.out")" "$frames" $((after - before))
}

# both DEVICE TX RX ARG..: two front ends of one kind, which must send and receive in these ways.
both() {
	local device=$1 tx=$2 rx=$3
	shift 3
	exchange "$device" "$device" 10000 --window 64 "$@"
	uses a "$tx" "$rx"
	uses b "$tx" "$rx"
}

# DPDK vectorizes packed rings with AVX-512 only.
packed_vector_tx() {
	if grep -qw avx512bw /proc/cpuinfo && grep -qw avx512vl /proc/cpuinfo; then
		echo 'packed ring vectorized Tx path'
	else
		echo 'packed ring standard Tx path'
	fi
}

@test "split rings" {
	both in_order=0,mrg_rxbuf=1,queue_size=256 'standard Tx path' 'mergeable buffer Rx path'
	both in_order=0,mrg_rxbuf=0,queue_size=1024 'standard Tx path' 'standard Rx path' --size 1514
}

@test "split rings, in order" {
	both in_order=1,mrg_rxbuf=1,queue_size=256 'inorder Tx path' 'inorder Rx path'
	both in_order=1,mrg_rxbuf=0,queue_size=256,speed=10000 'inorder Tx path' 'inorder Rx path' --size 1514
}

@test "split rings, vectorized" {
	both in_order=0,mrg_rxbuf=0,vectorized=1,queue_size=256 'standard Tx path' 'vectorized Rx path'
	both in_order=0,mrg_rxbuf=0,vectorized=1,queue_size=1024,speed=100000 'standard Tx path' 'vectorized Rx path' \
		--size 1514
}

@test "packed rings" {
	both packed_vq=1,in_order=0,mrg_rxbuf=1,queue_size=256 'packed ring standard Tx path' \
		'packed ring mergeable buffer Rx path'
	both packed_vq=1,in_order=0,mrg_rxbuf=0,queue_size=1024 'packed ring standard Tx path' \
		'packed ring standard Rx path' --size 1514
}

@test "packed rings, in order" {
	both packed_vq=1,in_order=1,mrg_rxbuf=1,queue_size=256 'packed ring standard Tx path' \
		'packed ring mergeable buffer Rx path'
	both packed_vq=1,in_order=1,mrg_rxbuf=0,queue_size=256,speed=25000 'packed ring standard Tx path' \
		'packed ring standard Rx path' --size 1514
}

@test "packed rings, vectorized" {
	both packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1,queue_size=256 "$(packed_vector_tx)" 'packed ring .* Rx path'
	both packed_vq=1,in_order=1,mrg_rxbuf=1,vectorized=1,queue_size=256 "$(packed_vector_tx)" \
		'packed ring mergeable buffer Rx path' --size 1514
}

@test "packed rings of a size that is no power of two" {
	both packed_vq=1,in_order=0,mrg_rxbuf=1,queue_size=255 'packed ring standard Tx path' \
		'packed ring mergeable buffer Rx path'
	both packed_vq=1,in_order=1,mrg_rxbuf=1,queue_size=80 'packed ring standard Tx path' \
		'packed ring mergeable buffer Rx path' --window 40
}

@test "four queue pairs, split and packed" {
	local device
	for device in in_order=0,mrg_rxbuf=1 in_order=1,mrg_rxbuf=0 packed_vq=1,in_order=0,mrg_rxbuf=1 \
		packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1; do
		both "$device,queues=4,cq=1,queue_size=256" '.*Tx path' '.*Rx path' --queues 4
		# Four flows: they do not all share one receive queue.
		jq -e '.queues > 1' "$work/a.out"
		jq -e '.queues > 1' "$work/b.out"
	done
}

@test "front ends of different kinds, with frames of 9000 bytes" {
	exchange packed_vq=1,in_order=1,mrg_rxbuf=1,queue_size=256 in_order=0,mrg_rxbuf=0,queue_size=1024 10000 --window 32 \
		--size 9000
	exchange packed_vq=1,in_order=0,mrg_rxbuf=0,vectorized=1,queue_size=512 in_order=1,mrg_rxbuf=1,queue_size=256 10000 \
		--window 32 --size 1000
	exchange packed_vq=1,mrg_rxbuf=1,queues=2,cq=1,queue_size=256 in_order=0,mrg_rxbuf=1,queues=4,cq=1,queue_size=256 \
		10000 --window 64 --queues 2
}

@test "as fast as the rings take them: what is missing is counted" {
	exchange packed_vq=1,in_order=1,mrg_rxbuf=1,queue_size=256 in_order=1,mrg_rxbuf=1,queue_size=256 200000
}

@test "a frame now and then, from queues that may sleep meanwhile" {
	exchange packed_vq=1,in_order=0,mrg_rxbuf=1,queue_size=256 in_order=0,mrg_rxbuf=1,queue_size=256 40 --rate 20 --burst 1
	jq -e '.lost == 0' "$work/a.out"
	jq -e '.lost == 0' "$work/b.out"
}
