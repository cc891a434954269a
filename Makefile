# SPDX-License-Identifier: BSD-3-Clause
# A short front for meson and the scripts in tools/. Every target works from any umask: files that a
# container's user reads (the preload library) are made readable to all.
SHELL := /bin/bash
.SHELLFLAGS := -euc
.DEFAULT_GOAL := build
BUILD := build
DESTDIR ?=
export DESTDIR

.PHONY: build demo check check-vm vm-image faults bench soak fuzz install format clean help setup

build: setup
	@umask 022; [ -f $(BUILD)/build.ninja ] || meson setup $(BUILD)
	@umask 022; ninja -C $(BUILD)

# Says the one line to run when packages are missing and the caller is not root.
setup:
	@tools/setup.sh --root

demo: build
	@umask 022; tools/demo.sh

check: setup
	@tools/check.sh

# In virtual machines (docs/vm.md).
check-vm: setup
	@tools/check.sh vm sriov

vm-image: setup
	@umask 022; tests/vm/sriov-image.sh build-vm/sriov

# An hour or less.
faults: build
	@python3 tests/faults/points.py $(BUILD) $(ARGS)
	@python3 tests/faults/conditions.py $(BUILD)

# ARGS: bench/run's, for instance ARGS='--quick frames latency'.
bench: build
	@PACKAGES=bench/packages.txt tools/setup.sh --root
	@umask 022; BUILD=$(abspath $(BUILD)) bench/run $(ARGS)

# The switch under 90 % of its rate without loss, every frame accounted for.
MINUTES ?= 30
soak: build
	@umask 022; BUILD=$(abspath $(BUILD)) MINUTES=$(MINUTES) tools/soak.sh $(ARGS)

# ARGS: names of targets, for instance ARGS='ring_split vhost'.
fuzz: setup
	@MINUTES=$(MINUTES) tools/fuzz.sh $(ARGS)

install: build
	@umask 022; meson install -C $(BUILD) --no-rebuild

format: setup
	@tools/check-lib.sh c_files | xargs -0 clang-format -i

clean:
	rm -rf build build-check build-clang build-asan build-fuzz build-arm64 build-vm

help:
	@printf '%s\n' \
		'make           build (installs missing Debian packages when run by root)' \
		'make demo      two DPDK containers exchange frames over a Ringway network (root)' \
		'make check     every check and test; smoke tests with a real engine need root' \
		'make check-vm  what runs in virtual machines: virtio (also in make check), SR-IOV (root)' \
		'make faults    kills ringwayd at every system call of every change, fills its disk, .. (root)' \
		'make bench     the switch beside Open vSwitch, dpdk-testpmd and others, into docs/bench (root)' \
		'make soak      the switch under load for MINUTES=30, every frame accounted for, nothing grows (root)' \
		'make fuzz      the fuzz targets for MINUTES=30 altogether (docs/fuzzing.md)' \
		'make install   install into DESTDIR, under the prefix that meson was set up with' \
		'make format    clang-format over the C files' \
		'make clean     remove the build directories'
