#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The preload library in real processes: preload.sh LIBRARY APP FAKE_EAL SOURCE_DIR
# FAKE_EAL stands for librte_eal.so, APP is an application of it, APP-plugin one that loads it as a plugin.
set -eu

library=$(realpath "$1") app=$(realpath "$2") eal=$(realpath "$3") source=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# check NAME EXPECTED GOT
check() {
	if [ "$2" = "$3" ]; then
		echo "ok: $1"
	else
		printf 'not ok: %s\n--- expected\n%s\n--- got\n%s\n' "$1" "$2" "$3"
		failures=$((failures + 1))
	fi
}

# with ARG...: the application with the library. The fake leaves --l* out of what it prints, so that the number of
# CPUs here does not matter.
with() {
	LD_LIBRARY_PATH=$(dirname "$eal") LD_PRELOAD=$library RINGWAY_DIR=$work "$app" "$@" 2>&1 || true
}

printf '%s\n' --no-huge -m 64 --vdev=ours >"$work/eal-args"

check 'without arguments' 'eal: --no-huge -m 64 --vdev=ours
app: fake-app' "$(with)"
check 'EAL arguments only' 'eal: --no-huge -m 64 --vdev=ours -n 4
app: fake-app' "$(with -n 4)"
check 'EAL and own arguments' 'eal: --no-huge -m 64 --vdev=ours -n 4 -- --own word
app: fake-app --own word' "$(with -n 4 -- --own word)"
check 'own arguments only' 'eal: --no-huge -m 64 --vdev=ours -- --vdev=own
app: fake-app --vdev=own' "$(with -- --vdev=own)"
check 'words without --' 'eal: --no-huge -m 64 --vdev=ours word -n 4 word2
app: fake-app word word2' "$(with word -n 4 word2)"
check 'own device' 'eal: --no-huge -m 64 --vdev=own
app: fake-app' "$(with --vdev=own)"
check 'EAL fails' 'eal: --no-huge -m 64 --vdev=ours --fail
app: failed' "$(with --fail)"
check 'turned off' 'eal: -n 4
app: fake-app' "$(RINGWAY_PRELOAD=off with -n 4)"
check 'verbose' 'ringway: adding EAL argument --no-huge
ringway: adding EAL argument -m
ringway: adding EAL argument 64' "$(RINGWAY_PRELOAD=verbose with --vdev=own -l 0 | grep ^ringway)"

# pinned ARG...: the core arguments that the application is given when it may run on one CPU only.
pinned() {
	one=$(taskset -pc $$ | sed 's/.*: *\([0-9]*\).*/\1/')
	LD_LIBRARY_PATH=$(dirname "$eal") RINGWAY_PRELOAD=verbose RINGWAY_DIR=$work \
		taskset -c "$one" env LD_PRELOAD="$library" "$app" "$@" 2>&1 | grep lcores || true
}
check 'one CPU' "ringway: adding EAL argument --lcores=(0,1)@CPU" "$(pinned | sed 's/@[0-9]*$/@CPU/')"
check 'one CPU, own cores' '' "$(pinned -l 0)"

: >"$work/eal-args"
check 'empty file' 'eal: -n 4
app: fake-app' "$(with -n 4)"
rm "$work/eal-args"
check 'no file' 'eal: -n 4
app: fake-app' "$(with -n 4)"
head -c 20000 /dev/zero | tr '\0' x >"$work/eal-args"
check 'damaged file' "ringway: ignoring a damaged file of EAL arguments: $work/eal-args
eal: -n 4
app: fake-app" "$(with -n 4)"
printf '%s\n' --vdev=ours >"$work/eal-args"
check 'a plugin brings EAL' 'eal: --vdev=ours -n 4
app: fake-app-plugin' "$(LD_PRELOAD=$library RINGWAY_DIR=$work "$app-plugin" plugin "$eal" -n 4 2>&1)"
check 'no EAL at all' "ringway: DPDK's own rte_eal_init() is not to be found
app: failed" "$(LD_PRELOAD=$library RINGWAY_DIR=$work "$app-plugin" 2>&1)"

check 'other programs' 'hello' "$(LD_PRELOAD=$library /bin/echo hello 2>&1)"
if command -v musl-gcc >/dev/null; then
	musl-gcc -shared -fPIC -o "$work/librte_eal.so" "$source/fake_eal.c"
	musl-gcc -D_GNU_SOURCE -o "$work/fake-app" "$source/fake_app.c" -L"$work" -lrte_eal "-Wl,-rpath,$work"
	check 'musl' 'eal: --vdev=ours -n 4 -- own
app: fake-app own' "$(LD_PRELOAD=$library RINGWAY_DIR=$work "$work/fake-app" -n 4 -- own 2>&1)"
else
	echo 'skipped: musl (no musl-gcc)'
fi

check 'needs no library' '' "$(readelf -dW "$library" | grep NEEDED || true)"
check 'needs no symbol version' '' "$(readelf -VW "$library" | grep -i 'version needs' || true)"
check 'asks the C library for four weak symbols' 'dl_iterate_phdr dlopen dlsym getenv' \
	"$(readelf --dyn-syms -W "$library" | awk '$7 == "UND" && $5 == "WEAK" { print $8 }' | sort | xargs)"
check 'asks for nothing else' '' \
	"$(readelf --dyn-syms -W "$library" | awk '$7 == "UND" && $5 != "WEAK" && $8 != "" { print $8 }')"
check 'offers two functions' 'numa_available rte_eal_init' \
	"$(readelf --dyn-syms -W "$library" | awk '$7 ~ /^[0-9]+$/ { print $8 }' | sort | xargs)"

[ "$failures" -eq 0 ]
