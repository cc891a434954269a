#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares the catalogue in docs/security.md with the cases: tests/hostile/catalogue.py HOSTILE SECURITY.md

Each row of the table under "## Hostile front ends" is "| number | what is done | how it is met | outcomes, each with its cases |".
Every entry must have a case and a row, which must say all of its cases and what becomes of them as the list does. Exit status
1 when anything differs.
"""
import re
import subprocess
import sys

ENTRIES = 46  # Of the catalogue; those behind them are the project's own.


def list_cases(hostile):
    """Of each entry: its cases with their outcomes. A packed ring's case goes by the name of the split one's."""
    listing = subprocess.run([hostile, "--list"], capture_output=True, text=True, check=True)
    entries = {}
    for line in listing.stdout.splitlines():
        entry, name, outcome, what, _, _ = line.split("\t")
        said = f"{outcome} ({what})" if outcome == "dropped" else outcome
        outcomes = entries.setdefault(int(entry), {}).setdefault(name.removeprefix("packed-"), [])
        if said not in outcomes:
            outcomes.append(said)
    return entries


def cell(cases):
    """Cases by outcome, as the table says them."""
    groups = {}
    for name, outcomes in cases.items():
        groups.setdefault(" or ".join(outcomes), []).append(f"`{name}`")
    return "; ".join(f"{outcome}: {', '.join(names)}" for outcome, names in groups.items())


def read_table(path):
    with open(path, encoding="utf-8") as file:
        text = file.read().split("## Hostile front ends", 1)[-1].split("\n## ", 1)[0]
    rows = {}
    for line in text.splitlines():
        row = re.fullmatch(r"\| (\d+) \| (.+) \| (.+) \| (.+) \|", line)
        if row:
            rows[int(row[1])] = row[4]
    return rows


def main():
    entries = list_cases(sys.argv[1])
    rows = read_table(sys.argv[2])
    wrong = [f"entry {entry} has no case" for entry in range(1, ENTRIES + 1) if entry not in entries]
    wrong += [f"entry {entry} has a row and no case" for entry in rows if entry not in entries]
    for entry, cases in sorted(entries.items()):
        if rows.get(entry) != cell(cases):
            wrong.append(f"entry {entry} should end with: | {cell(cases)} |")
    print("\n".join(f"{sys.argv[2]}: {line}" for line in wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
