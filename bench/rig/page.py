# SPDX-License-Identifier: BSD-3-Clause
"""docs/bench/results.md from the results."""
from . import report
from .measures import MEASURES


def _facts(document):
    m, o = document["machine"], document["options"]
    versions = ", ".join(f"{k} {v}" for k, v in m["versions"].items() if v and k != "build")
    return [
        f"- Begun {document['begun']}, {o['rounds']} rounds of {o['seconds']:g} s, interleaved; medians, "
        "± half of (largest - smallest) / median.",
        f"- {m['cpu']}, {m['cpus']} CPUs{' of a virtual machine' if m['virtual'] else ''}, "
        f"{m['memory_mib']} MiB, vectors {m['vectors']}, Linux {m['kernel']}.",
        f"- Versions: {versions}.",
        f"- The hypervisor gave {document.get('stolen', 0) * 100:.1f} % of the CPUs' time to others meanwhile.",
        f"- The switch's core is CPU {o['switch_cpu']}, the generator's {o['generator_cpu']}; "
        f"{'2 MiB pages' if o['hugepages'] else 'ordinary pages'} for every system.",
    ] + _containers(document)


def _containers(document):
    engines = dict.fromkeys(r.get("engine", "") for r in document["results"] if r["measure"] == "tcp")
    congestion = document["machine"].get("congestion") or "the machine's"
    return [
        f"- Ordinary containers are {f'of Docker {e}' if e else 'network namespaces, without an engine'}; nothing is "
        f"pinned to a CPU there but the switch worker. TCP congestion control is {congestion} where a row names none."
        for e in engines
    ]


def text(document, summary, drawn):
    """The page. `drawn`: [(file, title)] of the plots."""
    parts = ["<!-- Made by bench/run from results.json: do not edit. -->", "# Results", "",
             "How each number is measured: [../bench.md](../bench.md).", "", *_facts(document), "",
             "## Numbers to reach", "", report.as_markdown(*report.goals_table(summary))]
    for name, title in drawn:
        parts += ["", f"![{title}]({name})"]
    for measure in MEASURES.values():
        if any(e["measure"] == measure.name for e in summary):
            parts += ["", f"## {measure.title} (`{measure.name}`)", "",
                      report.as_markdown(*report.table(summary, measure.name))]
    return "\n".join(parts) + "\n"
