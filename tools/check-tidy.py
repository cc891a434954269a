#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""clang-tidy over the C files of a build: tools/check-tidy.py BUILD JOBS [FOLDER..], all of them or those below folders.

A file that was clean, and whose text, headers, flags and .clang-tidy are the same since, is not read
again: the marks are in BUILD/tidy/.
"""
import concurrent.futures
import hashlib
import json
import pathlib
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent


def dependencies(entry):
    """The project's own files that a source is made of; system headers change with packages."""
    words, args = shlex.split(entry["command"]), []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ", "-MT"):
            skip = True
        elif word not in ("-c", "-MD"):
            args.append(word)
    out = subprocess.run(
        args + ["-MM"], cwd=entry["directory"], check=True, capture_output=True, text=True
    ).stdout
    return sorted(shlex.split(out.replace("\\\n", " "))[1:])


def fingerprint(entry):
    digest = hashlib.sha256(entry["command"].encode())
    digest.update((TOP / ".clang-tidy").read_bytes())
    for name in dependencies(entry):
        path = (pathlib.Path(entry["directory"]) / name).resolve()
        if path.is_relative_to(TOP):
            digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def check(build, entry):
    """Text of what is wrong, empty when the file is clean."""
    try:
        mark = build / "tidy" / fingerprint(entry)
    except subprocess.CalledProcessError as err:
        return err.stderr or str(err)
    if mark.exists():
        return ""
    run = subprocess.run(
        ["clang-tidy", "--quiet", "-p", str(build), str((build / entry["file"]).resolve())],
        cwd=TOP, capture_output=True, text=True, check=False,
    )
    if run.returncode == 0:
        mark.touch()
        return ""
    return run.stdout + run.stderr


def is_below(build, name, folders):
    path = (build / name).resolve()
    return not folders or any(path.is_relative_to(TOP / folder) for folder in folders)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    (build / "tidy").mkdir(exist_ok=True)
    entries = json.loads((build / "compile_commands.json").read_text())
    by_file = {
        e["file"]: e for e in entries
        if e["file"].endswith(".c") and is_below(build, e["file"], sys.argv[3:])
    }
    with concurrent.futures.ThreadPoolExecutor(int(sys.argv[2])) as pool:
        results = list(pool.map(lambda e: check(build, e), by_file.values()))
    bad = [text for text in results if text]
    print("\n".join(bad))
    print(f"{len(results)} files, {len(bad)} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
