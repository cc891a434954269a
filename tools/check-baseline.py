#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Finds instructions that a baseline x86-64 CPU (SSE2) has not: tools/check-baseline.py BUILD-DIRECTORY

Every object of BUILD-DIRECTORY/src is disassembled, and the assembler is asked which of the instructions it would refuse
for the baseline. Functions that are called only where the CPU supports them are exempt: they carry the extension in their
name (copy_avx2, fold.avx2), as target_clones() names its clones.
"""

import pathlib
import re
import subprocess
import sys

VARIANT = re.compile(r"[._](sse4_2|avx|avx2|avx512\w*|arch_\w+)(\.\w+)*$")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(.+)$")
# Where a branch goes does not matter, and the assembler does not read objdump's way to write it.
BRANCH = re.compile(r"^(?:(?:bnd|notrack|data16|cs|ds|addr32) )*(?:j\w+|call\w*|loop\w*|xbegin)\b")
# Older CPUs execute these as no operation, and tzcnt as bsf, which is the same unless its operand is 0: compilers write
# it so where it is not.
HARMLESS = {"endbr64", "rdsspq", "pause", "nop", "nopw", "nopl", "data16", "cs", "xchg", "tzcnt"}
REFUSED = re.compile(r"^<stdin>:(\d+): Error: (.+)$|^\{standard input\}:(\d+): Error: (.+)$")
# The check is worth nothing if the assembler accepts all: what it has to refuse and to accept.
BEYOND = ["popcnt %rax,%rbx", "pshufb %xmm0,%xmm1", "crc32l %eax,%ebx", "vmovdqu (%rax),%ymm0", "movbe (%rax),%ebx"]
WITHIN = ["movdqu (%rax),%xmm0", "pshufd $0x1,%xmm0,%xmm1", "bsf %rax,%rbx", "lock cmpxchg %rcx,(%rdx)", "mfence"]


def run(command, **kwargs):
    return subprocess.run(command, check=False, capture_output=True, text=True, **kwargs)


def refused(instructions):
    """The indices of those that the baseline does not have, with what the assembler says."""
    source = "\n".join(instructions) + "\n"
    result = run(["as", "--64", "-march=generic64", "-o", "/dev/null", "-"], input=source)
    bad = {}
    for line in result.stderr.splitlines():
        match = REFUSED.match(line)
        if match:
            bad[int(match[1] or match[3]) - 1] = match[2] or match[4]
    if result.returncode and not bad:
        sys.exit(f"check-baseline.py: the assembler failed: {result.stderr.strip()}")
    return bad


def check_the_check():
    bad = refused(BEYOND + WITHIN)
    if set(bad) != set(range(len(BEYOND))):
        sys.exit(f"check-baseline.py: the assembler does not tell the baseline from the rest: it refuses {bad}")


def disassemble(path):
    """Yields (function, instruction) of one object."""
    result = run(["objdump", "-d", "--no-show-raw-insn", "-w", str(path)])
    if result.returncode:
        sys.exit(f"check-baseline.py: cannot disassemble {path}: {result.stderr.strip()}")
    function = ""
    for line in result.stdout.splitlines():
        match = FUNCTION.match(line)
        if match:
            function = match[1]
            continue
        match = INSTRUCTION.match(line)
        if match:
            text = re.sub(r"\s*(#.*|<[^>]*>)$", "", match[1]).strip()
            yield function, text


def list_objects(build):
    """The objects of the build as it is now: others may be left from before."""
    result = run(["ninja", "-C", str(build), "-t", "targets", "all"])
    names = re.findall(r"^(src/\S+\.o): ", result.stdout, re.M)
    # Compiled with DPDK's own flags: its libraries ask for that CPU at start.
    # The kernel compiles its own programs for the CPU that it runs on.
    left_out = ("src/uplink/ringway-uplink.p/", "src/bpf/")
    names = [name for name in names if not name.startswith(left_out)]
    return [build / name for name in sorted(names)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    check_the_check()
    build = pathlib.Path(sys.argv[1])
    objects = list_objects(build)
    seen = {}  # instruction -> the first place of it
    variants = set()
    for path in objects:
        for function, text in disassemble(path):
            if VARIANT.search(function):
                variants.add(function)
            elif not BRANCH.match(text) and text.split()[0] not in HARMLESS:
                seen.setdefault(text, (path.relative_to(build), function))
    if len(seen) < 1000:
        sys.exit(f"check-baseline.py: only {len(seen)} instructions in {len(objects)} objects below {build}/src: build first")
    instructions = list(seen)
    bad = refused(instructions)
    for index, reason in sorted(bad.items()):
        path, function = seen[instructions[index]]
        print(f"{path}: {function}(): {instructions[index]}: {reason}")
    print(f"{len(objects)} objects, {len(seen)} different instructions, {len(bad)} beyond the baseline; "
          f"variants: {', '.join(sorted(variants)) or 'none'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
