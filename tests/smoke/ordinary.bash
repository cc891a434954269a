# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# What the tests of ordinary containers share: an image without DPDK, a namespace that plays the outside.

plain=ringway-plain
# The command line that belongs to the engine: a newer one refuses some options against an older engine.
client=docker

# plain_start: as smoke_start, with the second image.
plain_start() {
	local program add=()
	smoke_start
	for program in nginx curl iperf3 socat; do
		add+=(--add "$(command -v $program || echo "/usr/sbin/$program"):/usr/bin/$program")
	done
	"$top/tools/demo-image.sh" --plain "${add[@]}" "$plain" 3>&-
}

plain_client() {
	local version
	version=$(docker version --format '{{.Server.Version}}')
	for client in docker /usr/bin/docker; do
		[[ $($client version --format '{{.Client.Version}}' 2>/dev/null) != "${version%%+*}"* ]] || return 0
	done
	client=docker
}

# plain_run NAME OPTION.. -- COMMAND..: an ordinary container in the background. The command sleeps when there is none.
plain_run() {
	local name=$id-$1 options=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# = 0 ] || shift
	[ $# -gt 0 ] || set -- sleep 3600
	docker run -d --init --name "$name" "${options[@]}" "$plain" "$@" >/dev/null
}

# web NAME OPTION..: nginx, which answers with its container's name on port 80 of both families.
web() {
	local name=$1 text
	shift
	text="error_log stderr; pid /tmp/pid; worker_processes 1; events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b;
fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
server { listen 80 backlog=4096; listen [::]:80 backlog=4096; location / { return 200 '$name'; } } }"
	plain_run "$name" "$@" -- sh -c "mkdir -p /var/log/nginx /var/lib/nginx && echo \"\$0\" >/tmp/conf &&
		exec nginx -e stderr -g 'daemon off; user root;' -c /tmp/conf" "$text"
}

# in_container NAME COMMAND..
in_container() {
	local name=$1
	shift
	docker exec "$id-$name" "$@"
}

# address NAME NETWORK [IPAddress|GlobalIPv6Address|MacAddress]: as Docker has it.
address() {
	docker inspect "$id-$1" | jq -er --arg n "$id-$2" --arg f "${3:-IPAddress}" '.[0].NetworkSettings.Networks[$n][$f] | select(. != "")'
}

# pings NAME ADDRESS [OPTION..]
pings() {
	local name=$1 to=$2
	shift 2
	in_container "$name" ping -c 2 -W 5 "$@" "$to" >/dev/null
}

# fetch NAME URL: what is there.
fetch() {
	in_container "$1" curl -sS --max-time 10 "$2"
}

# port_at NETWORK ADDRESS: the name of the port that has it.
port_at() {
	ringway port ls --json | jq -er --arg n "$id-$1" --arg a "$2/" \
		'.ports[] | select(.network == $n and ((.ip // "" | startswith($a)) or (.ip6 // "" | startswith($a)))) | .name'
}

# outside_start: a namespace with a veth to the host: 198.18.0.2, 2001:db8:18::2, the host is .1.
outside_start() {
	outside=$id-out
	ip netns add "$outside"
	ip link add "${id}o" type veth peer name eth0 netns "$outside"
	ip addr add 198.18.0.1/24 dev "${id}o"
	ip -6 addr add 2001:db8:18::1/64 dev "${id}o" nodad
	ip link set "${id}o" up
	ip -n "$outside" addr add 198.18.0.2/24 dev eth0
	ip -n "$outside" -6 addr add 2001:db8:18::2/64 dev eth0 nodad
	ip -n "$outside" link set eth0 up
	ip -n "$outside" link set lo up
	ip -n "$outside" route add default via 198.18.0.1
	ip -n "$outside" -6 route add default via 2001:db8:18::1
	export outside
}

outside_stop() {
	ip netns del "$id-out" 2>/dev/null || true
	ip link del "${id}o" 2>/dev/null || true
}

# from_outside COMMAND..
from_outside() {
	ip netns exec "$outside" "$@"
}

remove_containers() {
	local list
	mapfile -t list < <(containers)
	[ ${#list[@]} = 0 ] || docker rm -f "${list[@]}" >/dev/null
}

# kernel_state: what may be left behind in the host: interfaces, rules of every kind, mounts, namespaces.
kernel_state() {
	echo '# interfaces'
	find /sys/class/net -mindepth 1 -printf '%f\n' | grep -v ^veth | sort
	echo '# nftables'
	nft list ruleset | sed -E 's/(packets|bytes) [0-9]+/\1 N/g'
	echo '# iptables'
	iptables-save | sed -E '/^#/d; s/\[[0-9]+:[0-9]+\]//'
	ip6tables-save | sed -E '/^#/d; s/\[[0-9]+:[0-9]+\]//'
	echo '# mounts'
	grep -F "$run_dir" /proc/mounts || true
	echo '# own namespace'
	[ ! -e "$run_dir/netns/own" ] || nsenter --net="$run_dir/netns/own" ip -br link | cut -d' ' -f1 | sort
	echo '# pins'
	[ ! -e "$run_dir/bpf" ] || find "$run_dir/bpf" -mindepth 1 -printf '%P\n' | sort
}
