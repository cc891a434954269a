#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A file's bytes as a C array: src/bpf/embed.py NAME INPUT OUTPUT"""
import pathlib
import sys

name, source, target = sys.argv[1:]
data = pathlib.Path(source).read_bytes()
lines = [",".join(str(b) for b in data[i : i + 24]) for i in range(0, len(data), 24)]
pathlib.Path(target).write_text(
    f"// Made of {pathlib.Path(source).name}.\n#pragma once\n\n"
    # libbpf reads it as an ELF file, in place.
    f"static const unsigned char {name}[] __attribute__((aligned(8))) = {{\n"
    + ",\n".join(lines)
    + "\n};\n"
)
