"""Draws the pictures of the README: `python -m dashboards.pictures --help`.

Runs the queries of the dashboards in the ClickHouse of a `rectrace demo` and draws the panels with Grafana's own
components, in Chromium. It is no Grafana: what only Grafana does (controls, menus, tooltips) is not in the pictures.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from dashboards.grafana import COMMITTED, check, parts
from dashboards.grafana.expand import Shown, Value, expand
from dashboards.pictures import DRAWN, FOLDER, frames, picture
from schemas.errors import Unavailable
from sinks.clickhouse.client import BadAddress, connect

BUILT: Final = FOLDER / "dist"
WIDTH: Final = 1400  # pixels
HEADING: Final = 48  # of the page, over the panels
ROW: Final = 38  # of the grid, with the gap
PATIENCE: Final = 120  # seconds for Chromium
LONGEST: Final = 3600  # seconds: beyond it, Grafana's interval is more than a window
READ_ONLY: Final = {"readonly": 1, "max_execution_time": 60}

# What is served less in a segment than in as long a time before, and was in stock: what lost most.
_MISSED: Final = """
SELECT item
FROM item_outcomes
WHERE segment = replaceOne({segment:String}, 'all requests', '') AND (fate = 'served' OR reason = 'out_of_stock')
    AND window >= {from:DateTime} - ({to:DateTime} - {from:DateTime}) AND window <= {to:DateTime}
GROUP BY item
ORDER BY sumIf(n, fate = 'served' AND window < {from:DateTime}) - sumIf(n, window >= {from:DateTime}) DESC, item
LIMIT 1
"""


def answers(client: Client, document: check.Document, shown: Shown) -> dict[str, Any]:
    """What the page draws of a dashboard."""
    panels = [{"panel": panel, "frames": [_frame(client, target, shown) for target in panel["targets"]]}
              for panel in document["panels"]]  # fmt: skip
    marks = [
        {"colour": mark["iconColor"], "at": at}
        for mark in document["annotations"]["list"]
        for field in _frame(client, mark["target"], shown)["fields"]
        if field["name"] == "time"
        for at in field["values"]
    ]
    since, until = (datetime.fromtimestamp(at, UTC) for at in (shown.since, shown.until))
    return {
        "title": document["title"],
        "times": f"{since:%Y-%m-%d %H:%M:%S} to {until:%H:%M:%S} UTC",
        "chosen": [[each["label"], _text(shown.variables[each["name"]])] for each in document["templating"]["list"]
                   if each["type"] != "datasource"],
        "from": shown.since * 1000,
        "to": shown.until * 1000,
        "heading": HEADING,
        "panels": panels,
        "marks": marks,
    }  # fmt: skip


def _frame(client: Client, target: Mapping[str, Any], shown: Shown) -> frames.Frame:
    result = client.query(expand(target["rawSql"], shown), settings=READ_ONLY)
    columns = dict(zip(result.column_names, (kind.name for kind in result.column_types), strict=True))
    shaped = frames.series if target["queryType"] == "timeseries" else frames.table
    return shaped(columns, result.result_rows)


def _text(value: Value) -> str:
    return ", ".join("All" if each == "$__all" else each for each in ([value] if isinstance(value, str) else value))


def height(document: check.Document) -> int:
    """Of the page, in pixels."""
    rows: int = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in document["panels"])
    return HEADING + rows * ROW + 8


def build() -> None:
    """The page, with what package-lock.json names."""
    installed = FOLDER / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (FOLDER / "package-lock.json").stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)  # noqa: S607
    subprocess.run(["npm", "run", "build"], cwd=FOLDER, check=True)  # noqa: S607


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Only errors of Chromium would be news."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL at which a folder is, meanwhile."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def draw(chromium: str, url: str, file: Path, high: int) -> None:
    """Chromium's picture of a page, once nothing is left to load, in few colours. Raises RuntimeError."""
    raw = BUILT / file.name
    raw.unlink(missing_ok=True)
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1",
               f"--window-size={WIDTH},{high}", "--virtual-time-budget=10000", f"--screenshot={raw}"]  # fmt: skip
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium does not start as root with it
    done = subprocess.run([chromium, *options, url], capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode or not raw.exists():
        raise RuntimeError(f"{chromium} drew nothing: {done.stderr[-2000:]}")
    subprocess.run(["node", "compress.js", str(raw), str(file)], cwd=FOLDER, check=True)  # noqa: S607


def main() -> None:
    parser = argparse.ArgumentParser("python -m dashboards.pictures", description=__doc__)
    parser.add_argument("--clickhouse", default="http://127.0.0.1:8123", metavar="URL", help="of a demo that runs")
    parser.add_argument("--database", default="rectrace")
    parser.add_argument("--since", type=_minutes, default="8m", metavar="MINUTES", help="such as 8m, at most 60m")
    parser.add_argument("--item", default="", help="of the dashboard Items; default: what is served less than before")
    parser.add_argument("--segment", default=parts.ALL_REQUESTS, help="of the dashboard Items, such as country=DE")
    parser.add_argument("--chromium", default="chromium", help="the program")
    asked = parser.parse_args()
    until = int(time.time())
    documents = {uid: json.loads((COMMITTED / f"{uid}.json").read_text("utf-8")) for uid in DRAWN}
    build()
    with closing(connect(asked.clickhouse, asked.database)) as client:
        wanted = {"from": until - asked.since, "to": until, "segment": asked.segment}
        missed = client.query(_MISSED, parameters=wanted, settings=READ_ONLY).result_rows
        if not missed:
            parser.error("nothing was served in this time, or nothing is sealed yet")
        item = asked.item or missed[0][0]
        for uid, document in documents.items():
            chosen: dict[str, Value] = {"item": item, "segment": asked.segment} if uid == parts.ITEMS else {}
            shown = Shown(until - asked.since, until, variables={**check.defaults(document), **chosen})
            (BUILT / f"{uid}.json").write_text(json.dumps(answers(client, document, shown)))
    with serving(BUILT) as url:
        for uid, document in documents.items():
            draw(asked.chromium, f"{url}/?dashboard={uid}", picture(uid), height(document))
            print(f"wrote {picture(uid)}")


def _minutes(text: str) -> int:
    """In seconds."""
    found = re.fullmatch(r"(\d+)m", text)
    if not found or not 0 < int(found[1]) * 60 <= LONGEST:
        raise argparse.ArgumentTypeError(f"must be minutes, at most 60m, not {text!r}")
    return int(found[1]) * 60


if __name__ == "__main__":
    try:
        main()
    except (BadAddress, Unavailable, RuntimeError, FileNotFoundError, subprocess.SubprocessError) as error:
        sys.exit(f"dashboards.pictures: {error}")
