#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Fail when a file includes a header from a layer it may not use.

Also fails on DPDK's headers outside the layers that move frames with it, on files too long for one
reading (functions are clang-tidy's), and on a file that names the place of this checkout.
"""
import pathlib
import re
import subprocess
import sys

# directory under src/ -> directories it may include from, besides itself
MAY_USE = {
    "base": [],
    "wire": ["base"],
    "vring": ["base"],
    "packet": ["base", "vring"],
    "vhost": ["base", "vring"],
    "switch": ["base", "wire", "vring", "packet", "vhost"],
    "uplink": ["base", "wire"],
    "bpf": [],
    "daemon": ["base", "wire", "bpf"],
    "client": ["base"],
    "cli": ["base", "client"],
    "plugins": ["base", "client"],
}
DPDK_IN = ("switch", "uplink")
# The kernel's programs are a part's business alone.
HOST = ("src", "daemon", "host")
# Parts of src/daemon/ that are mechanism: none of the layer's own headers but these.
MECHANISM_MAY_USE = {
    "functions": ("base/", "daemon/functions/", "daemon/netlink/"),
    "host": ("base/", "bpf/", "daemon/host/", "daemon/netlink/"),
    "netlink": ("base/", "daemon/netlink/"),
}
# DPDK applications that the tests run in containers
DPDK_TOOLS = ("tests", "tools")
MAX_LINES = 600
CODE = (".c", ".h", ".py", ".sh", ".bash", ".bats")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)


def files(root):
    listed = subprocess.run(
        ["tools/check-lib.sh", "all_files"], cwd=root, check=True, capture_output=True
    ).stdout
    return [pathlib.PurePosixPath(p) for p in listed.decode().split("\0") if p]


def layer_of(path):
    """(layer, is a test) of src/LAYER/.. and tests/unit/LAYER/..; (None, True) for tests of several layers."""
    if path.parts[0] == "src":
        return path.parts[1], False
    if path.parts[:2] == ("tests", "unit") and len(path.parts) > 3:
        return path.parts[2], True
    return None, True


def check_includes(root, path, text):
    layer, is_test = layer_of(path)
    if layer is not None and layer not in MAY_USE:
        yield f"no layer named '{layer}'"
        return
    for quoted, angled in INCLUDE.findall(text):
        is_tool = path.parts[:2] == DPDK_TOOLS
        if angled.startswith("rte_") and layer not in DPDK_IN and not is_tool:
            yield f"<{angled}> belongs in src/{' and src/'.join(DPDK_IN)} only"
        if not quoted:
            continue
        # project headers are always written from src/: "base/log.h"
        if "/" not in quoted:
            if not (root / path.parent / quoted).exists():
                yield f'"{quoted}" is not beside it: write "layer/{quoted}"'
            continue
        other = quoted.split("/")[0]
        in_host = path.parts[:3] == HOST
        if path.parts[:2] == HOST[:2] and not quoted.startswith(
            MECHANISM_MAY_USE.get(path.parts[2], "")
        ):
            yield f'{path.parent}/ may not include "{quoted}"'
        if other == "bpf" and layer == "daemon" and not in_host:
            yield f'"{quoted}" belongs in src/daemon/host/ only'
        if other == "tests":
            if not is_test:
                yield f'"{quoted}": src/ may not include from tests/'
        elif layer is not None and other != layer and other not in MAY_USE[layer]:
            yield f'{layer} may not include "{quoted}"'


def check(root):
    here = str(root.resolve())
    for path in sorted(files(root)):
        text = (root / path).read_text(errors="replace")
        if path.suffix in CODE and text.count("\n") > MAX_LINES:
            yield f"{path}: more than {MAX_LINES} lines, split it"
        # A checkout right below / has no name that says anything.
        if here.count("/") > 1 and here in text:
            yield f"{path}: names the place of this checkout"
        if path.suffix in (".c", ".h") and path.parts[0] in ("src", "tests"):
            for problem in check_includes(root, path, text):
                yield f"{path}: {problem}"


if __name__ == "__main__":
    problems = list(check(pathlib.Path(__file__).resolve().parent.parent))
    print("\n".join(problems) or "layers: ok")
    sys.exit(1 if problems else 0)
