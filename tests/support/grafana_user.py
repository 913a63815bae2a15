"""What Grafana's user of ClickHouse may do, asked over HTTP as that user."""

import base64
import json
import re
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from dashboards.grafana import COMMITTED, check
from dashboards.grafana.expand import Shown, expand

DATABASE: Final = "rectrace"  # of the grants
REFUSED: Final = {"164", "452", "497"}  # read-only, a setting out of bounds, no grant
FORBIDDEN: Final = (
    "INSERT INTO landing (request_id) VALUES ('r')",
    "CREATE TABLE mine (a UInt8) ENGINE = Memory",
    "DROP TABLE landing",
    "TRUNCATE TABLE landing",
    "ALTER TABLE landing DELETE WHERE 1",
    "CREATE USER other IDENTIFIED BY 'p'",
    "SELECT * FROM system.users",
    "SELECT * FROM url('http://127.0.0.1:8123/ping', LineAsString)",
    "SELECT * FROM file('/etc/passwd', LineAsString)",
    "SET readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_execution_time = 61",
)


def ask(url: str, database: str, sql: str, **settings: int) -> tuple[int, str]:
    """Status and answer. url: http://user:password@host:port."""
    parts = urlsplit(url)
    query = urlencode({"database": database, **settings})
    request = urllib.request.Request(f"http://{parts.hostname}:{parts.port}/?{query}", sql.encode())
    if parts.username:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def check_reader(url: str, database: str = DATABASE) -> None:
    """It runs every query of the dashboards, with the limit that the data source sets, and does nothing else."""
    documents = [json.loads(file.read_text()) for file in sorted(COMMITTED.glob("*.json"))]
    for document in documents:
        shown = Shown(0, 3_600, variables=check.defaults(document))
        for each in check.asked(document):
            status, answer = ask(url, database, expand(each.sql, shown), max_execution_time=35)
            assert status == 200, f"{each.where}: {answer}"
    for sql in FORBIDDEN:
        status, answer = ask(url, database, sql)
        code = re.search(r"Code: (\d+)", answer)
        assert status != 200, f"it may: {sql}"
        assert code is not None, answer
        assert code[1] in REFUSED, f"{sql}: {answer}"
    status, answer = ask(url, database, "SELECT max_queries, max_execution_time FROM system.quota_usage FORMAT TSV")
    assert (status, answer.split()) == (200, ["3000", "600"])
