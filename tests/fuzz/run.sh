#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs every fuzz target of a build for a while: tests/fuzz/run.sh BUILD SECONDS RESULTS [TARGET...]
# A target is BUILD/tests/fuzz/fuzz-NAME; tests/fuzz/corpus/NAME holds its first inputs, and what it
# finds beyond them stays in BUILD. Adds "pass|fail<TAB>NAME<TAB>REASON" lines to RESULTS.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2 results=$3
shift 3

# Two runs of one target would share a corpus; different targets run beside each other.
run_target() {
	local target=$1 name work status=0
	name=$(basename "$target")
	name=${name#fuzz-}
	work=$build/fuzz-work/$name
	mkdir -p "$work/found" "$work/crashes"
	local corpus=("$work/found")
	[ ! -d "$here/corpus/$name" ] || corpus+=("$here/corpus/$name")
	ASAN_OPTIONS=detect_leaks=1 "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -entropic=0 \
		-print_final_stats=1 -artifact_prefix="$work/crashes/" "${corpus[@]}" \
		>"$work/log" 2>&1 </dev/null || status=$?
	if [ "$status" = 0 ]; then
		printf 'pass\t%s\t%s\n' "$name" "$(grep -m1 number_of_executed_units "$work/log")" >>"$results"
		return 0
	fi
	printf 'fail\t%s\t%s\n' "$name" "see $work/log; inputs in $work/crashes" >>"$results"
	tail -n 40 "$work/log"
	return 1
}

[ $# -gt 0 ] || mapfile -t targets < <(find "$build/tests/fuzz" -maxdepth 1 -type f -perm -u+x -name 'fuzz-*' | sort)
[ $# = 0 ] || targets=("$@")
bad=0 pids=()
for target in "${targets[@]}"; do
	if [ "${#pids[@]}" -ge "${FUZZ_JOBS:-$(nproc)}" ]; then
		wait "${pids[0]}" || bad=1
		pids=("${pids[@]:1}")
	fi
	run_target "$target" &
	pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || bad=1
done
exit $bad
