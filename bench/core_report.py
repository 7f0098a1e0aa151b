#!/usr/bin/env python3
"""Collects what `make bench-core` has measured: writes bench/results/core.json and the tables of
bench/RESULTS.md.

usage: core_report.py TARGET COMMAND
TARGET is cargo's folder with criterion's estimates, simulation.json and crossing.json; COMMAND is what
was started, for the record."""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

from core_tables import core, crossing, simulation

BENCH = pathlib.Path(__file__).resolve().parent
DOCUMENT = BENCH / "RESULTS.md"
RESULTS = BENCH / "results" / "core.json"
GROUPS = ("page_20/", "recipients/", "roster_replace/", "path/", "payload/")


def main(target, command):
    target = pathlib.Path(target)
    results = {
        "about": about(command),
        "criterion": estimates(target / "criterion"),
        "simulation": last_json(target / "simulation.json"),
        "crossing": last_json(target / "crossing.json"),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rounded(results), indent=2, ensure_ascii=False) + "\n")
    document = DOCUMENT.read_text()
    for name, tables in [
        ("core", core(results["about"], results["criterion"])),
        ("simulation", simulation(results["simulation"], results["crossing"]["memory"])),
        ("crossing", crossing(results["crossing"])),
    ]:
        document = between(document, name, tables)
    DOCUMENT.write_text(document)


def estimates(folder):
    """Of each bench the median of its samples, in nanoseconds, and the confidence interval of it."""
    found = {}
    for file in sorted(folder.glob("**/new/estimates.json")):
        name = json.loads((file.parent / "benchmark.json").read_text())["full_id"]
        if name.startswith(GROUPS):
            median = json.loads(file.read_text())["median"]
            interval = median["confidence_interval"]
            found[name] = {
                "median_ns": median["point_estimate"],
                "low_ns": interval["lower_bound"],
                "high_ns": interval["upper_bound"],
                "confidence": interval["confidence_level"],
            }
    if not found:
        sys.exit(f"{folder} has no estimates: run make bench-core")
    return found


def last_json(file):
    lines = [line for line in file.read_text().splitlines() if line.startswith("{")]
    return json.loads(lines[-1])


def between(document, name, tables):
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->\n"
    before, rest = document.split(begin)
    return before + begin + "\n" + tables + "\n" + end + rest.split(end)[1]


def rounded(value):
    """Five digits are more than enough."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return value


def about(command):
    """Where and how it was measured; nothing that names the machine."""
    said = lambda *words: subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    otp = 'io:put_chars(erlang:system_info(otp_release)), halt().'
    lock = (BENCH.parent / "Cargo.lock").read_text()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "cpu": cpu.group(1) if cpu else os.uname().machine,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": int(memory.group(1)) / 1048576,
        "load": os.getloadavg()[2],
        "kernel": said("uname", "-sr").split("-")[0],
        "rustc": " ".join(said("rustc", "--version").split()[:2]),
        "criterion": re.search(r'name = "criterion"\nversion = "(.*?)"', lock).group(1),
        "otp": said("erl", "-noinput", "-eval", otp),
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
