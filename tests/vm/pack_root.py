#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A root file system of this machine's own packages, for a guest: pack_root.py PACKAGE.. >tar

The files of the named packages that are installed here and of all that they depend on, as they are here; without what
only people and compilers read. Users, host name and the like are the guest's own. --list prints package and version of
each instead. Directories that the tar needs beside them are added with --tree DIR.
"""
import argparse
import io
import os
import re
import stat
import subprocess
import sys
import tarfile

LEFT_OUT = re.compile(
    r"/(boot|home|root|run|tmp|var|dev|proc|sys|usr/include|usr/local|usr/src"
    r"|usr/bin/(ctr|dnet|containerd-shim|containerd-shim-runc-v1|dpdk-test|openssl)|usr/sbin/ovrouter|usr/share/ipsec-mb"
    r"|usr/lib/(llvm-|gcc/|debug/|systemd/|udev/|git-core|ruby|jvm)[^/]*"
    r"|usr/share/(doc|doc-base|man|info|locale|lintian|bash-completion|zsh|fonts|icons|perl|bug|i18n|gdb|pkgconfig|systemtap"
    r"|initramfs-tools|apport|applications|polkit-1|gtk-doc|emacs|vim|cmake)"
    r"|etc/(docker|network|systemd|init.d|default|cron[^/]*|logrotate.d|hostname|hosts|resolv.conf|passwd|group|shadow|fstab|apt))"
    r"(/|$)|\.(a|la|h|py[co])$")
DIRECTORIES = ("root", "run", "tmp", "var/lib", "var/log", "var/tmp", "dev", "proc", "sys", "home", "ctl", "project", "build",
               "usr/local/bin", "etc/default")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000:user:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nuser:x:1000:\ndocker:x:999:\nnogroup:x:65534:\n",
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost guest\n",
}
LINKS = {"var/run": "/run", "var/lock": "/run/lock", "etc/mtab": "/proc/self/mounts", "etc/resolv.conf": "/dev/null"}


def installed():
    """Of each installed package: version, what it needs as lists of alternatives, its files."""
    text = subprocess.run(
        ["dpkg-query", "-W", "-f",
         "${db:Status-Abbrev}\t${binary:Package}\t${Version}\t${Pre-Depends}, ${Depends}\t${Provides}\t${Essential}\n"],
        check=True, capture_output=True, text=True).stdout
    packages, providers = {}, {}
    for line in text.splitlines():
        state, full_name, version, depends, provides, essential = line.split("\t")
        if not state.startswith("ii"):
            continue
        name = full_name.split(":")[0]
        packages[name] = (full_name, version, depends, essential == "yes")
        for provided in [name] + [part.split()[0] for part in provides.split(",") if part.strip()]:
            providers.setdefault(provided, []).append(name)
    return packages, providers


def closure(wanted):
    """The wanted packages, what they depend on, and what no system is without. What is not installed is not a choice of ours: dpkg has it satisfied otherwise."""
    packages, providers = installed()
    missing = [name for name in wanted if name not in packages]
    if missing:
        sys.exit(f"pack_root.py: not installed: {' '.join(missing)}: run tools/setup.sh")
    found, queue = {}, list(wanted) + [name for name, package in packages.items() if package[3]]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        full_name, version, depends, _ = packages[name]
        found[name] = (full_name, version)
        for group in depends.split(","):
            for choice in group.split("|"):
                if choice.strip():
                    queue += providers.get(choice.split()[0].split(":")[0], [])
    return found


def resolved(path):
    """With the symbolic links of its directory followed: where /lib is /usr/lib, a file has one place."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def files_of(packages):
    paths = set()
    for full_name, _ in packages.values():
        listed = next((path for path in (f"/var/lib/dpkg/info/{full_name}.list",
                                         f"/var/lib/dpkg/info/{full_name.split(':')[0]}.list") if os.path.exists(path)))
        with open(listed, encoding="utf-8") as lines:
            paths.update(resolved(line.rstrip("\n")) for line in lines if line != "/.\n")
    # Which of several programs a name stands for.
    for directory in ("/usr/bin", "/usr/sbin"):
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if os.path.islink(path) and os.readlink(path).startswith("/etc/alternatives/") and \
                    os.path.realpath(path) in paths:
                paths.update((path, os.readlink(path)))
    # Where the loader finds libraries; entries of ones that are not here do no harm.
    paths.update(path for path in ("/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/nsswitch.conf")
                 if os.path.lexists(path))
    return {path for path in paths if not LEFT_OUT.search(path)}


def write_tar(paths, tree, output):
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as archive:
        done = set()

        def parents(name):
            for end in (index for index, letter in enumerate(name) if letter == "/"):
                if name[:end] not in done:
                    done.add(name[:end])
                    add_directory(name[:end])

        def add_directory(name, mode=0o755):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
            done.add(name)

        for path in sorted(paths):
            name = path.lstrip("/")
            if name in done or not os.path.lexists(path):
                continue
            if not os.path.islink(path) and stat.S_ISDIR(os.stat(path).st_mode):
                parents(name + "/")
                continue
            parents(name)
            done.add(name)
            archive.add(path, name, recursive=False)
        for name in DIRECTORIES:
            parents(name)
            if name not in done:
                add_directory(name, 0o1777 if name in ("tmp", "var/tmp") else 0o755)
        for name, text in FILES.items():
            parents(name)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
        for name, target in LINKS.items():
            parents(name)
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        for directory, names, files in os.walk(tree) if tree else ():
            if not names and not files:
                inside = os.path.relpath(directory, tree)
                parents(inside)
                add_directory(inside, os.stat(directory).st_mode & 0o7777)
            for name in files + [name for name in names if os.path.islink(os.path.join(directory, name))]:
                path = os.path.join(directory, name)
                inside = resolved("/" + os.path.relpath(path, tree)).lstrip("/")
                parents(inside)
                archive.add(path, inside, recursive=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--tree")
    parser.add_argument("packages", nargs="+")
    options = parser.parse_args()
    packages = closure(options.packages)
    if options.list:
        for full_name, version in sorted(packages.values()):
            print(full_name, version)
        return
    write_tar(files_of(packages), options.tree, sys.stdout.buffer)


if __name__ == "__main__":
    main()
