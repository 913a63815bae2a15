"""How long from the first violating response until Alertmanager has the page? With everything real: needs Alertmanager.

uv run python -m benchmarks.paging [--times 3] [--rate 50] [--fault season_leak] [--rule out-of-season]

Starts Alertmanager and the demo, injects the fault, asks Alertmanager ten times a second for the alert of the rule, and
ClickHouse for the first response that violated it while the fault was there. Goal: under 60 s.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import clickhouse_connect

from rectrace.local.alertmanager import start_alertmanager

NOBODY: Final = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
INJECTED_S: Final = 60  # seconds of the demo's traffic
GIVE_UP_S: Final = 240.0
PORTS: Final = ("--kafka-port", "0", "--clickhouse-port", "0", "--metrics-port", "0")


def main() -> None:
    """Print the seconds of each time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--fault", default="season_leak")
    parser.add_argument("--rule", default="out-of-season")
    options = parser.parse_args()
    took = []
    for number in range(options.times):
        with tempfile.TemporaryDirectory() as at:
            took.append(measure(Path(at), options.rate, options.fault, options.rule))
        print(f"{number + 1}: {took[-1]:.1f} s", flush=True)
    print(f"median {statistics.median(took):.1f} s, longest {max(took):.1f} s")


def measure(folder: Path, rate: float, fault: str, rule: str) -> float:
    """Seconds, once."""
    output = folder / "demo.txt"
    with start_alertmanager(0, folder / "alertmanager", NOBODY) as manager, output.open("w") as out:
        command = [sys.executable, "-m", "rectrace", "demo", "--no-console", *PORTS, "--data", str(folder / "data")]
        command += ["--rate", str(rate), "--fault", f"{fault}@{INJECTED_S}", "--alertmanager", manager.url]
        demo = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            told = wait(manager.url, rule, demo)
            clickhouse = output.read_text().partition("ClickHouse on ")[2].partition(";")[0]
            return told - violated(clickhouse, rule, told)
        finally:
            demo.terminate()
            demo.wait(60)


def wait(manager: str, rule: str, demo: subprocess.Popen[bytes]) -> float:
    """When Alertmanager had the page (epoch seconds)."""
    deadline = time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline and demo.poll() is None:
        if any(alert["labels"].get("rule") == rule for alert in alerts(manager)):
            return time.time()
        time.sleep(0.1)
    raise SystemExit(f"no alert of the rule {rule} within {GIVE_UP_S:.0f} s, or the demo stopped")


def alerts(manager: str) -> list[dict[str, Any]]:
    """What fires."""
    with urllib.request.urlopen(f"{manager}/api/v2/alerts", timeout=10) as answer:
        return list(json.load(answer))


def violated(clickhouse: str, rule: str, told: float) -> float:
    """When the first violating response came of those in a row before `told`: nothing for ten seconds before it."""
    client = clickhouse_connect.get_client(dsn=clickhouse)
    query = "SELECT toUnixTimestamp64Milli(at) / 1000 FROM rectrace.violations WHERE rule = {rule:String} ORDER BY at"
    times = [float(at) for (at,) in client.query(query, parameters={"rule": rule}).result_rows if at < told]
    client.close()
    starts = [at for at, before in zip(times, [0.0, *times], strict=False) if at - before > 10]
    return starts[-1]


if __name__ == "__main__":
    main()
