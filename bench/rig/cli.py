# SPDX-License-Identifier: BSD-3-Clause
"""The command line of bench/run."""
import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import signal
import sys
import time

from . import machine, page, places, plots, report
from .ends import ENDS
from .measures import MEASURES, measure_once
from .process import INTERRUPTS, RigError, Workspace
from .setup import Rig
from .systems import SYSTEMS

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SCHEMA = 1


def _names(text, known, what):
    names = [n for n in text.split(",") if n]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"no {what} '{name}': {', '.join(known)}")
    return names


def _parser():
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Measures the switch beside its peers, in one run.",
        epilog="Measures: " + "; ".join(f"{m.name}: {m.title.lower()}" for m in MEASURES.values()))
    parser.add_argument("measures", nargs="*", help="which ones (all)")
    parser.add_argument("--systems", type=lambda t: _names(t, {**SYSTEMS, **ENDS}, "system"),
                        help="which ones: " + ", ".join({**SYSTEMS, **ENDS}))
    parser.add_argument("--quick", action="store_true", help="few points, one round, short runs")
    parser.add_argument("--rounds", type=int, help="runs of each system at each point (3)")
    parser.add_argument("--seconds", type=float, help="length of one run (3)")
    parser.add_argument("--trial", type=float, help="length of one trial for a rate without loss (2)")
    parser.add_argument("--tolerance", type=float, default=0.0,
                        help="part of the frames that may be lost in such a trial (0)")
    parser.add_argument("--switch-cpu", type=int, help="the switch's CPU (the last one)")
    parser.add_argument("--generator-cpu", type=int, default=0, help="the generator's CPU (0)")
    parser.add_argument("--hugepages", type=int, default=1536,
                        help="2 MiB pages to reserve for the run; 0: none (1536)")
    parser.add_argument("--engine", choices=("auto", "on", "off"), default="auto",
                        help="ordinary containers are Docker's, or namespaces play them (auto: where it runs)")
    parser.add_argument("--ringwayd-arg", action="append", default=[], metavar="ARG",
                        help="a further argument for ringwayd; may be repeated")
    parser.add_argument("--build", type=pathlib.Path, help="build directory (build)")
    parser.add_argument("--out", type=pathlib.Path, help="where results go (docs/bench)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="measure nothing: print and draw the results in FILE")
    parser.add_argument("--merge", action="store_true",
                        help="keep the measures of an earlier results.json that are not measured now")
    parser.add_argument("--profile", action="store_true",
                        help="write where the switch's CPU spends its time beside the results (needs perf)")
    parser.add_argument("--force", action="store_true", help="run beside busy processes")
    parser.add_argument("--keep", action="store_true", help="keep the logs of every run in /tmp")
    return parser


def _options(argv):
    parser = _parser()
    options = parser.parse_args(argv)
    for name in options.measures:
        if name not in MEASURES:
            parser.error(f"no measure '{name}': {', '.join(MEASURES)}")
    options.measures = options.measures or list(MEASURES)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1.0 if options.quick else 3.0)
    options.trial = options.trial or (0.5 if options.quick else 2.0)
    cpus = os.cpu_count() or 1
    if options.switch_cpu is None:
        options.switch_cpu = cpus - 1
    options.build = options.build or pathlib.Path(os.environ.get("BUILD", TOP / "build"))
    options.build = options.build.resolve()
    options.out = options.out or TOP / "docs/bench"
    return options


def _check_machine(options):
    if os.geteuid():
        raise RigError("bench/run starts switches and namespaces: run it as root")
    if options.switch_cpu == options.generator_cpu or options.switch_cpu >= (os.cpu_count() or 1):
        raise RigError(
            f"the switch on CPU {options.switch_cpu} and the generator on {options.generator_cpu}: "
            "each needs a CPU of its own")
    if not (options.build / "bench/gen/gen").exists():
        raise RigError(f"{options.build} has no generator: run 'make' first, or say --build")
    if options.profile and not shutil.which("perf"):
        raise RigError("--profile needs perf: install Debian's linux-perf")
    busy = [] if options.force else machine.busy_processes()
    if busy:
        pid, command, share = busy[0]
        raise RigError(
            f"'{command[:80]}' (pid {pid}) keeps {share * 100:.0f} % of a CPU busy: end it first, "
            "or say --force")


def _chosen_systems(options, measure):
    """Names of systems, and why others cannot be measured here."""
    chosen, missing = [], {}
    for name in measure.systems:
        if options.systems and name not in options.systems:
            continue
        lacking = [package for program, package in measure.registry[name].needs if not shutil.which(program)]
        if lacking:
            missing[name] = f"package {lacking[0]} is not installed"
        else:
            chosen.append(name)
    return chosen, missing


def _say(text):
    print(text, flush=True)


def _one(measure, rig, system, setup):
    begun = time.monotonic()
    with Workspace(rig.keep) as workspace:
        try:
            said = measure_once(measure, rig, workspace, measure.registry[system], setup)
        except RigError as why:
            said = {"error": str(why)}
    record = {"measure": measure.name, "point": setup.key(), "system": system,
              "took_s": round(time.monotonic() - begun, 2)}
    if measure.registry is ENDS:
        record["engine"] = rig.engine
    if "unsupported" in said or "error" in said:
        return {**record, **said}
    return {**record, "values": said}


def _run_measure(measure, rig, options, results):
    systems, missing = _chosen_systems(options, measure)
    points = measure.quick if options.quick else measure.points
    if not systems and not missing:
        return
    _say(f"\n{measure.name}: {measure.title}")
    for setup in points:
        skip = dict(missing)
        for name, why in missing.items():
            results.append({"measure": measure.name, "point": setup.key(), "system": name,
                            "unsupported": why})
        # Interleaved, so that what drifts hits all systems alike.
        for number in range(options.rounds):
            for name in systems:
                if name in skip:
                    continue
                result = _one(measure, rig, name, setup)
                if "error" in result:
                    # Once more: a start may fail for reasons of its own on a machine like this.
                    _say(f"  {name}, {report.point_name(result['point'])}, tried again after: "
                         f"{result['error']}")
                    result = {**_one(measure, rig, name, setup), "failed_before": result["error"]}
                result["round"] = number
                results.append(result)
                if "unsupported" in result:
                    skip[name] = result["unsupported"]
                if "error" in result:
                    _say(f"  {name}, {report.point_name(result['point'])}: {result['error']}")
    _say(report.as_text(*report.table(report.summarize(results), measure.name)))


def _write(document, out):
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    summary = report.summarize(document["results"])
    drawn = plots.draw(summary, out)
    (out / "results.md").write_text(page.text(document, summary, drawn))


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _engine(options):
    """The version of the engine whose containers are measured; "" for none."""
    if options.engine == "off" or not any(MEASURES[m].registry is ENDS for m in options.measures):
        return ""
    version = places.engine_version()
    if options.engine == "on" and not version:
        raise RigError("--engine on: Docker does not answer: start it, or say --engine off")
    return version


def _measure_all(options):
    _check_machine(options)
    results, kept = [], _kept_results(options)
    stolen = machine.stolen_ticks()
    document = {
        "schema": SCHEMA,
        "begun": _now(),
        "machine": machine.describe(TOP, options.build),
    }
    with machine.Hugepages(options.hugepages), contextlib.ExitStack() as stack:
        engine = _engine(options)
        image = stack.enter_context(places.Image(options.build / "bench/inet/inet")).name if engine else ""
        rig = Rig(
            top=TOP, build=options.build, switch_cpu=options.switch_cpu,
            generator_cpu=options.generator_cpu, seconds=options.seconds, trial=options.trial,
            warm=min(0.5, options.seconds), tolerance=options.tolerance, keep=options.keep,
            hugepages=options.hugepages > 0 and machine.free_hugepages() >= 1200,
            ringwayd_args=tuple(options.ringwayd_arg),
            profile=options.out.resolve() if options.profile else None,
            engine=engine, image=image,
        )
        document["options"] = {
            k: (str(v) if isinstance(v, pathlib.Path) else v)
            for k, v in dataclasses.asdict(rig).items() if k not in ("top", "build", "keep", "profile", "image")
        } | {"rounds": options.rounds, "quick": options.quick}
        for name in options.measures:
            _run_measure(MEASURES[name], rig, options, results)
            # After each measure: an interrupted run keeps what is whole.
            document["ended"] = _now()
            document["stolen"] = machine.stolen_share(stolen)
            document["results"] = kept + results
            _write(document, options.out)
    return document


def _kept_results(options):
    """Of an earlier run, those of the measures that are not measured now."""
    earlier = options.out / "results.json"
    if not options.merge or not earlier.exists():
        return []
    kept = json.loads(earlier.read_text())["results"]
    return [r for r in kept if r["measure"] not in options.measures]


def _interrupt(*_):
    # Once: what follows is the cleaning up.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(argv):
    options = _options(argv)
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    try:
        if options.json:
            document = json.loads(options.json.read_text())
            _write(document, options.out)
        else:
            document = _measure_all(options)
    except RigError as why:
        print(f"bench/run: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench/run: interrupted: all that was started is ended, whole measures are kept", file=sys.stderr)
        return 130
    summary = report.summarize(document["results"])
    _say("\nNumbers to reach")
    _say(report.as_text(*report.goals_table(summary)))
    _say(f"\nresults: {options.out}/results.json, results.md and plots")
    return 1 if any("error" in r for r in document["results"]) else 0
