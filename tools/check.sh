#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every check and test of the project; a stage that fails does not stop the next one.
#   tools/check.sh             all stages
#   tools/check.sh STAGE...    these only, in this order
# Ends with one line: N passed, M failed[, K skipped]. The status is 0 only when nothing failed.
set -uo pipefail
umask 022
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C.UTF-8
. tools/check-lib.sh

stages=(
	format spdx layers prefix spelling shell python man
	build-gcc headers units baseline unit build-clang build-asan unit-asan hostile arm64 fuzz smoke vm tidy
)
logs=build-check
jobs=$(nproc)
passed=0
failed=0
skips=()
failures=()
tidy_pid='' # Of the one that goes on beside other stages.
trap '[ -z "$tidy_pid" ] || kill "$tidy_pid"' EXIT
# Set by a stage for its last result: why it did not run, or what it found.
skip_reason=''

# note_result RESULT NAME [REASON]: counts one check or test.
note_result() {
	case $1 in
	pass) passed=$((passed + 1)) ;;
	skip) skips+=("$2: ${3:-no reason given}") ;;
	*)
		failed=$((failed + 1))
		failures+=("$2${3:+: $3}")
		;;
	esac
}

stage_format() {
	c_files | xargs -0 clang-format --dry-run -Werror
}

# Every source, script, build file and manual page names its licence in the first lines.
stage_spdx() {
	local path bad=0
	while IFS= read -r -d '' path; do
		head -n 4 "$path" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' && continue
		printf '%s: no SPDX-License-Identifier in its first lines\n' "$path"
		bad=1
	done < <({
		select_files '(\.(c|h|py|sh|bash|bats|service|socket)|meson\.build|Makefile)$'
		shell_files
		man_pages
	} | sort -zu)
	return $bad
}

stage_layers() {
	python3 tools/check-layers.py
}

stage_prefix() {
	python3 tools/check-prefix.py
}

stage_spelling() {
	all_files | grep -zv '^tests/fuzz/corpus/' | xargs -0 codespell
}

stage_shell() {
	shell_files | xargs -0 shellcheck -x
}

stage_python() {
	python_files | PYTHONPYCACHEPREFIX="$PWD/$logs/pycache" xargs -0 -r python3 -W error -m py_compile
}

stage_man() {
	man_pages | xargs -0 -r mandoc -T lint -W warning
}

# configure_build DIR COMPILER [MESON-OPTION...]: where that was not done yet.
configure_build() {
	local dir=$1 compiler=$2
	shift 2
	if [ ! -f "$dir/build.ninja" ]; then
		CC=$compiler meson setup "$dir" "$@"
	fi
}

# setup_build DIR COMPILER [MESON-OPTION...]: configures and builds all.
setup_build() {
	configure_build "$@" && ninja --quiet -C "$1"
}

stage_build-gcc() {
	setup_build build gcc
}

# Every header compiles alone, with what the build gives it.
stage_headers() {
	local path bad=0 flags
	read -r -a flags < <(pkg-config --cflags libdpdk jansson libmicrohttpd libcurl sqlite3)
	while IFS= read -r -d '' path; do
		gcc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only \
			-Isrc -I. "${flags[@]}" -x c - <<<"#include \"${path#src/}\"" || bad=1
	done < <(select_files '^(src|tests/lib)/.*\.h$' | grep -zv '\.bpf\.h$')
	# Those of programs for the kernel.
	while IFS= read -r -d '' path; do
		clang -target bpf -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function -fsyntax-only \
			-idirafter "/usr/include/$(uname -m)-linux-gnu" -Isrc -x c - \
			<<<"#include \"${path#src/}\"" || bad=1
	done < <(select_files '\.bpf\.h$')
	return $bad
}

# What was built runs on any x86-64 CPU: no instruction beyond SSE2 outside of variants that are chosen at run time,
# the layers' tests pass on such a CPU, and the switch, whose DPDK needs more, says so.
stage_baseline() {
	if [ "$(uname -m)" != x86_64 ]; then
		skip_reason='looks at x86-64 instructions, and this is another machine'
		return 77
	fi
	setup_build build gcc && python3 tools/check-baseline.py build || return 1
	local cpu='qemu-x86_64-static -cpu qemu64,-sse3' said
	said=$($cpu build/src/switch/ringway-switch --version 2>&1)
	if [ $? != 1 ] || [[ $said != *'cannot start on this CPU'*SSE4.2* ]]; then
		printf 'the switch on a CPU without SSE4.2: %s\n' "$said"
		return 1
	fi
	local tests
	mapfile -t tests < <(emulated_tests build)
	[ ${#tests[@]} -gt 10 ] || return 1
	meson test -C build --print-errorlogs --wrapper "$cpu" --timeout-multiplier 4 \
		--num-processes "$jobs" "${tests[@]}"
}

stage_build-clang() {
	setup_build build-clang clang
}

# layer_tests DIR: the names of the tests of the layers without DPDK that the data path is made of.
layer_tests() {
	meson test -C "$1" --list 2>/dev/null | sed 's/.* //' | grep -E '^(base|wire|vring|vhost|packet)(-|$)'
}

# emulated_tests DIR: those of them that run under QEMU's user emulation, which knows no SO_PEEK_OFF (all of vhost) and
# no ptrace; nor the long test of random frames, which says nothing more about instructions and takes most of a minute here.
emulated_tests() {
	layer_tests "$1" | grep -Ev '^(vhost-.*|vring-flow|vring-recover)$'
}

# Warnings are the other builds' business: under sanitizers gcc sees some that are not there.
stage_build-asan() {
	setup_build build-asan gcc -Db_sanitize=address,undefined -Dwerror=false
}

# It takes minutes, and the smoke tests wait a lot: it begins as soon as there is what it reads and goes on beside the other
# stages, behind them in priority, also where the kernel groups processes by session (sched_autogroup).
begin_tidy() {
	# shellcheck disable=SC2016 # the inner shell's words
	setsid nice -n 19 bash -c 'echo 19 2>/dev/null >/proc/self/autogroup
		exec python3 tools/check-tidy.py build-clang "$1" src bench' tidy "$jobs" >"$logs/tidy.out" 2>&1 </dev/null &
	tidy_pid=$!
}

stage_tidy() {
	local status=0
	[ -n "$tidy_pid" ] || begin_tidy
	wait "$tidy_pid" || status=$?
	tidy_pid=''
	cat "$logs/tidy.out"
	return "$status"
}

# Not among those that run by themselves, for the time that it takes: tools/check.sh build-clang tidy-tests.
stage_tidy-tests() {
	python3 tools/check-tidy.py build-clang "$jobs" tests
}

# run_meson_tests DIR [ARGUMENT...]: counts each test of the suite, or of those that are named. Two for each CPU: many wait.
run_meson_tests() {
	local dir=$1 status=0 result name
	shift
	[ -f "$dir/build.ninja" ] || setup_build "$dir" gcc || return 1
	ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 \
		UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 \
		meson test -C "$dir" --print-errorlogs --num-processes $((2 * jobs)) "$@" || status=1
	while IFS=$'\t' read -r result name; do
		case $result in
		OK | EXPECTEDFAIL) note_result pass "$name" ;;
		SKIP) note_result skip "$dir $name" "the test says so: see $dir/meson-logs/testlog.txt" ;;
		*) note_result fail "$dir $name" "$result" ;;
		esac
	done < <(jq -r '[.result, .name] | @tsv' "$dir/meson-logs/testlog.json")
	return $status
}

stage_unit() {
	run_meson_tests build
}

stage_unit-asan() {
	run_meson_tests build-asan
}

# All is built for 64-bit ARM, and the data path's layers are tested there, the switch's tables with DPDK for ARM too.
# Programs that start other programs of the build are not run: the emulator runs one.
stage_arm64() {
	local status=0 tests
	tools/cross-arm64.sh || status=$?
	if [ "$status" = 77 ]; then
		skip_reason="the arm64 packages cannot be fetched: see $log"
		return 77
	fi
	[ "$status" = 0 ] || return 1
	readelf -h build-arm64/src/switch/ringway-switch build-arm64/src/daemon/ringwayd | grep -c AArch64 |
		grep -qx 2 || return 1
	note_result pass 'arm64 build'
	mapfile -t tests < <(emulated_tests build-arm64; printf 'switch-%s\n' deliver fdb forward)
	run_meson_tests build-arm64 --timeout-multiplier 6 "${tests[@]}"
}

# Hostile front ends against a switch alone; under sanitizers with idle neighbours only, since rates say nothing there.
stage_hostile() {
	local status=0
	setup_build build gcc && setup_build build-asan gcc -Db_sanitize=address,undefined -Dwerror=false || return 1
	timeout --kill-after=30 "${HOSTILE_SECONDS:-400}" python3 tests/hostile/run.py build || status=$?
	ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 \
		SWITCH_ARGS=--no-sandbox HOSTILE_MODES=idle \
		timeout --kill-after=30 "${HOSTILE_SECONDS:-400}" python3 tests/hostile/run.py build-asan || status=$?
	note_tap hostile
	return "$status"
}

stage_fuzz() {
	local result name reason
	configure_build build-fuzz clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false &&
		ninja --quiet -C build-fuzz fuzz || return 1
	: >"$logs/fuzz.results"
	tests/fuzz/run.sh build-fuzz "${FUZZ_SECONDS:-3}" "$logs/fuzz.results"
	local status=$?
	while IFS=$'\t' read -r result name reason; do
		note_result "$result" "fuzz $name" "$reason"
	done <"$logs/fuzz.results"
	return $status
}

# The units are read by systemd itself where it is installed.
stage_units() {
	command -v systemd-analyze >/dev/null || {
		skip_reason='systemd-analyze is not installed'
		return 77
	}
	tools/check-units.sh
}

# note_tap NAME: counts the tests that the stage's log tells of in TAP.
note_tap() {
	local line
	while IFS= read -r line; do
		case $line in
		'ok '*' # skip'*) note_result skip "$1 ${line%% # skip*}" "${line##* # skip }" ;;
		'ok '*) note_result pass "$1 $line" ;;
		'not ok '*) note_result fail "$1: ${line#not ok }" ;;
		esac
	done <"$log"
}

stage_smoke() {
	if [ "$(id -u)" != 0 ]; then
		skip_reason='needs root: an engine and network namespaces'
		return 77
	fi
	setup_build build gcc || return 1
	local status=0
	timeout --kill-after=30 "${SMOKE_SECONDS:-1100}" \
		bats --timing --formatter tap tests/smoke </dev/null || status=$?
	[ "$status" != 124 ] || note_result fail smoke 'took too long and was ended'
	note_tap smoke
	return "$status"
}

# vm_can_run: whether guests can be run here; otherwise skip_reason says why not.
vm_can_run() {
	skip_reason=''
	[ "$(id -u)" = 0 ] || skip_reason='needs root: a ringwayd of its own'
	command -v qemu-system-x86_64 >/dev/null || skip_reason='qemu-system-x86_64 is not installed'
	[ -z "$skip_reason" ]
}

# run_vm NAME WHAT: makes the image and runs its tests; WHAT it is that may not be had.
run_vm() {
	vm_can_run || return 77
	local status=0
	setup_build build gcc || return 1
	"tests/vm/$1-image.sh" "build-vm/$1" || status=$?
	if [ "$status" = 77 ]; then
		skip_reason="$2 cannot be fetched: see $log"
		return 77
	fi
	[ "$status" = 0 ] || return 1
	timeout --kill-after=30 "${VM_SECONDS:-400}" python3 "tests/vm/$1.py" build "build-vm/$1" || status=$?
	[ "$status" != 124 ] || note_result fail "$1" 'took too long and was ended'
	note_tap "$1"
	return "$status"
}

# Linux in virtual machines as front ends, under software emulation.
stage_vm() {
	run_vm virtio "the guests' kernel"
}

# Functions of NICs, containers and an IOMMU in a virtual machine.
stage_sriov() {
	run_vm sriov "QEMU's igb and a kernel for it, of Debian's backports,"
}

# Stages whose tests are counted one by one; all others count as one each.
counts_itself() {
	case $1 in
	unit | unit-asan | hostile | arm64 | fuzz | smoke | vm | sriov) return 0 ;;
	*) return 1 ;;
	esac
}

# show_failure: of the log of a stage that failed, the tests that failed with what they said, or else how it ended.
show_failure() {
	{
		awk '/^not ok /{on = 1} /^ok /{on = 0} on' "$log" | grep . | cut -c 1-300 | head -n 80 || tail -n 60 "$log"
	} | sed 's/^/    /'
	printf '    (all of it: %s)\n' "$log"
}

run_stage() {
	local name=$1 start=$SECONDS before=$failed counted=$((passed + failed + ${#skips[@]})) status=0
	log=$logs/$name.log
	skip_reason=''
	# In this shell, so that a stage can count; its output goes to its log alone.
	"stage_$name" >"$log" 2>&1 </dev/null || status=$?
	local word=ok
	if [ "$status" = 77 ] && [ -n "$skip_reason" ]; then
		note_result skip "$name" "$skip_reason"
		word=skipped
	elif [ "$status" != 0 ]; then
		word=FAILED
		# A stage that failed before it could count a failure of its own.
		[ "$failed" != "$before" ] || note_result fail "$name"
	elif ! counts_itself "$name"; then
		note_result pass "$name"
	elif [ "$counted" = $((passed + failed + ${#skips[@]})) ]; then
		word=FAILED
		echo 'no test was found' >>"$log"
		note_result fail "$name"
	fi
	printf '%-12s %-8s %4d s\n' "$name" "$word" $((SECONDS - start))
	[ "$word" != FAILED ] || show_failure
}

[ $# -gt 0 ] || set -- "${stages[@]}"
mkdir -p "$logs"
for stage in "$@"; do
	if [ "$(type -t "stage_$stage")" != function ]; then
		printf 'tools/check.sh: no stage %s; there are: %s\n' "'$stage'" "${stages[*]}" >&2
		exit 2
	fi
done
for stage in "$@"; do
	run_stage "$stage"
	[[ $stage != build-clang || " $* " != *' tidy '* ]] || begin_tidy
done
[ ${#skips[@]} = 0 ] || printf 'skipped: %s\n' "${skips[@]}"
[ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
printf '%d s\n' "$SECONDS"
summary="$passed passed, $failed failed"
[ ${#skips[@]} = 0 ] || summary+=", ${#skips[@]} skipped"
echo "$summary"
[ "$failed" = 0 ]
