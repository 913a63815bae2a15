"""Connections to ClickHouse over HTTP, and what its errors mean to us."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from schemas.errors import Unavailable

# Error codes by which ClickHouse refuses the data of an insert, not the statement: cannot parse (6, 26, 27, 33, 41, 72,
# 117, 130), wrong type or range (53, 69, 70, 321), sizes (131, 190), duplicate key in a tuple (43, 130), constraint
# (469), Unicode or depth (36, 306).
REFUSED: Final = frozenset({6, 26, 27, 33, 36, 41, 43, 53, 69, 70, 72, 117, 130, 131, 190, 306, 321, 349, 469})

# Rewrites of queries that gain ours nothing, and cost more than all else of a seal of few requests: each hashes the
# statement over and over, and our statements are long.
SKIPPED: Final = (
    "optimize_and_compare_chain",
    "optimize_aggregators_of_group_by_keys",
    "optimize_arithmetic_operations_in_aggregate_functions",
)

# In the driver's texts: the system's word for what failed, which is enough; and what nobody needs to read.
_SYSTEM: Final = re.compile(r"\[Errno -?\d+\] ([^'\")\]]+)")
_NOISE: Final = re.compile(
    r"\s*\(for url [^)]*\)|HTTP driver received HTTP status \d+, server response: "
    r"|Received ClickHouse exception, code: \d+, server response: |\s*\(version [^)]*\)"
)


class Refused(Exception):  # noqa: N818
    """ClickHouse will not take these rows, however often they are sent."""


class BadAddress(Exception):  # noqa: N818
    """A ClickHouse URL that cannot be right."""


def connect(url: str, database: str = "", *, timeout: float = 60.0, settings: dict[str, Any] | None = None) -> Client:
    """A client for `http[s]://[user[:password]@]host[:port]`. Safe to use from several threads.

    Raises BadAddress for what is no such URL or answers like no ClickHouse, Unavailable where nothing answers.
    """
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise BadAddress(f"clickhouse: {_shown(url)!r} is not http://HOST:PORT or https://HOST:PORT")
    try:
        client = clickhouse_connect.get_client(
            interface=address.scheme,
            host=address.hostname,
            port=address.port or (8443 if address.scheme == "https" else 8123),
            username=unquote(address.username or "default"),
            password=unquote(address.password or ""),
            database=database or "__default__",
            connect_timeout=5,
            send_receive_timeout=timeout,
            autogenerate_session_id=False,
            query_retries=0,
            settings=settings or {},
        )
        for name in SKIPPED:
            known = client.server_settings.get(name)
            if known and not known.readonly:
                client.set_client_setting(name, 0)
        return client
    except (ClickHouseError, HTTPError, OSError, ValueError) as error:
        raise _translate(error, f"clickhouse at {_shown(url)}") from error


@contextmanager
def errors(doing: str) -> Iterator[None]:
    """Turn the driver's errors into Refused or Unavailable, with what was being done."""
    try:
        yield
    except (ClickHouseError, HTTPError, OSError) as error:
        raise _translate(error, doing) from error


def _translate(error: BaseException, doing: str) -> Exception:
    text = " ".join(str(error).split())[:1000]
    found = _SYSTEM.search(text)
    if found:
        text = found[1]
    elif "DB::Exception" in text:
        text = _NOISE.sub("", text)
    code = getattr(error, "code", None)
    if code in REFUSED:
        return Refused(f"{doing}: {text}")
    return Unavailable(f"{doing}: {text}")


def _shown(url: str) -> str:
    """The URL without its password."""
    address = urlsplit(url)
    if not address.password:
        return url
    return url.replace(f":{address.password}@", ":***@")
