#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# All that a Ringway instance holds, as text: two runs differ exactly by what was left behind in between.
#   tests/smoke/leaks.sh RUN_DIR STATE_DIR RINGWAYD_PID SWITCH_PID DOCKER_DRIVER
set -euo pipefail

run_dir=$1 state_dir=$2 ringwayd=$3 switch=$4 driver=$5

# descriptors PID: how many of each kind.
descriptors() {
	find "/proc/$1/fd" -maxdepth 1 -type l -printf '%l\n' 2>/dev/null |
		sed -E 's/\[[0-9]+\]//; s/.*\((deleted)\)/\1/' | sort | uniq -c
}

# without_engine: of the list on stdin, sockets without the connections that the engine keeps to the driver for a minute.
without_engine() {
	local kept
	kept=$(ss -xH state established src "/run/docker/plugins/$driver.sock" | wc -l)
	awk -v kept="$kept" '$2 == "socket:" { $1 -= kept } { print }'
}

# mappings PID: shared memory that it has mapped.
mappings() {
	awk '$2 ~ /s$/ { print $6 }' "/proc/$1/maps" | sort | uniq -c
}

echo '# files, sockets and directories'
find "$run_dir" -mindepth 1 -printf '%y %P\n' | sort
echo '# mounts'
grep -F "$run_dir" /proc/mounts || true
echo '# rows'
for table in $(sqlite3 "$state_dir/ringway.db" "select name from sqlite_master where type = 'table' order by 1"); do
	echo "$table $(sqlite3 "$state_dir/ringway.db" "select count(*) from \"$table\"")"
done
echo '# descriptors of ringwayd'
descriptors "$ringwayd" | without_engine
echo '# descriptors of the switch'
descriptors "$switch"
echo '# shared memory of the switch'
mappings "$switch"
echo '# processes'
pgrep -l -P "$ringwayd" | cut -d' ' -f2 || true
echo '# network namespaces and interfaces'
ls /run/netns 2>/dev/null || true
find /sys/class/net -mindepth 1 -printf '%f\n' | grep -v ^veth | sort
echo '# interfaces of the own namespace'
[ ! -e "$run_dir/netns/own" ] || nsenter --net="$run_dir/netns/own" ip -br link | cut -d' ' -f1 | sort
echo "# the host's rules"
nft list ruleset | sed -E 's/(packets|bytes) [0-9]+/\1 N/g'
for command in iptables-save ip6tables-save; do
	"$command" | sed -E '/^#/d; s/\[[0-9]+:[0-9]+\]//'
done
echo '# networks of the engine, and what is on them'
for network in $(docker network ls -q --filter "driver=$driver"); do
	docker network inspect "$network" | jq -c '.[0] | [.Name, (.Containers | keys)]'
done
