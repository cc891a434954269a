#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the fuzz targets and runs them for MINUTES (30) altogether, two beside each other, each for its share.
#   tools/fuzz.sh              all targets
#   tools/fuzz.sh NAME...      tests/fuzz/NAME.c only
# Prints each target's executions and a total. What a target has learned stays in build-fuzz/fuzz-work/NAME/found for the next
# run. Status 1 when a target found something: the input that shows it is kept in .../crashes.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
minutes=${MINUTES:-30}
build='build-fuzz'
jobs=2

fail() {
	printf 'tools/fuzz.sh: %s\n' "$1" >&2
	exit 2
}

[[ $minutes =~ ^[1-9][0-9]*$ ]] || fail "MINUTES must be a whole number above 0, not '$minutes'"
[ "$(nproc)" -ge "$jobs" ] || jobs=1
if [ ! -f "$build/build.ninja" ]; then
	CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
fi
ninja --quiet -C "$build" fuzz

targets=()
for name in "$@"; do
	[ -x "$build/tests/fuzz/fuzz-$name" ] || fail "there is no target '$name': tests/fuzz/ has them"
	targets+=("$build/tests/fuzz/fuzz-$name")
done
if [ $# = 0 ]; then
	mapfile -t targets < <(find "$build/tests/fuzz" -maxdepth 1 -type f -perm -u+x -name 'fuzz-*' | sort)
fi
# The targets run in turns of `jobs`, which all take as long.
turns=$(((${#targets[@]} + jobs - 1) / jobs))
seconds=$((minutes * 60 / turns))
results=$build/fuzz.results
: >"$results"
printf '%s targets, %s s each, %s beside each other\n' "${#targets[@]}" "$seconds" "$jobs"
status=0
FUZZ_JOBS=$jobs tests/fuzz/run.sh "$build" "$seconds" "$results" "${targets[@]}" || status=1

total=0 findings=0
while IFS=$'\t' read -r result name _; do
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz-work/$name/log")
	total=$((total + ${executions:-0}))
	text=''
	if [ "$result" = fail ]; then
		findings=$((findings + 1))
		text="  FOUND: $(find "$PWD/$build/fuzz-work/$name/crashes" -type f -printf '%T@ %p\n' |
			sort -n | tail -n 1 | cut -d' ' -f2-)"
	fi
	printf '%-12s %12s executions%s\n' "$name" "${executions:-?}" "$text"
done < <(sort -k2 "$results")
printf 'total        %12s executions in %s target-minutes, findings: %s\n' \
	"$total" "$((seconds * ${#targets[@]} / 60))" "$findings"
exit "$status"
