#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names: `rwy_` is kept for installed headers and the wire, and a struct has no typedef."""
import pathlib
import re
import sys

SRC = pathlib.Path(__file__).resolve().parent.parent / "src"
# The one struct that every layer passes on.
RWY_ALLOWED = {"rwy_err"}
RWY = re.compile(r"\brwy_\w+")
TYPEDEF_STRUCT = re.compile(r"^\s*typedef\s+(?:struct|union)\b", re.M)


def strip(text):
    """Without comments and string literals, which may say what they like."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"//[^\n]*", "", text)


def main():
    bad = []
    for path in sorted(SRC.rglob("*.[ch]")):
        rel = path.relative_to(SRC.parent)
        code = strip(path.read_text(errors="replace"))
        for name in sorted(set(RWY.findall(code)) - RWY_ALLOWED):
            if rel.parts[1] != "wire":
                bad.append(f"{rel}: '{name}': rwy_ is kept for installed headers and the wire")
        if TYPEDEF_STRUCT.search(code):
            bad.append(f"{rel}: a typedef of a struct")
    print("\n".join(bad) or "prefix: ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
