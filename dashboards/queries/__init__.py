"""The queries of the dashboards: each once, a file each, in the dialect of Grafana's ClickHouse data source.

`$__...` are its macros and `${...}` variables of a dashboard, which Grafana fills in; `{...}` is filled in by `text`.
The tables are those of the data source's default database. What is asked of Prometheus is in pipeline.py.
"""

from functools import cache
from importlib.resources import files

from sinks.clickhouse.queries import STAGES_LITERAL


@cache
def names() -> tuple[str, ...]:
    """Of all queries, sorted."""
    return tuple(name for name in _files() if not name.startswith("_"))


def text(name: str, **fill: str) -> str:
    """queries/NAME.sql without comments, in which the data source would look for macros, too. `{shown}` is _shown.sql,
    and so on: what several queries have in common."""
    query = _whole(name)
    for key, value in {"stages": STAGES_LITERAL, **fill}.items():
        query = query.replace(f"{{{key}}}", value)
    return query


def _files() -> list[str]:
    entries = [entry.name for entry in files(__name__).iterdir()]
    return sorted(name.removesuffix(".sql") for name in entries if name.endswith(".sql"))


def _whole(name: str) -> str:
    query = _read(name)
    for part in _files():
        if part.startswith("_") and (place := f"{{{part[1:]}}}") in query:
            query = query.replace(place, _whole(part))
    return query


def _read(name: str) -> str:
    lines = files(__name__).joinpath(f"{name}.sql").read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))
