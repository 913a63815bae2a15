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
    entries = [entry.name for entry in files(__name__).iterdir()]
    return tuple(sorted(name.removesuffix(".sql") for name in entries if name.endswith(".sql")))


def text(name: str, **fill: str) -> str:
    """queries/NAME.sql without comments, in which the data source would look for macros, too."""
    lines = files(__name__).joinpath(f"{name}.sql").read_text("utf-8").splitlines()
    query = "\n".join(line for line in lines if not line.lstrip().startswith("--"))
    for key, value in {"stages": STAGES_LITERAL, **fill}.items():
        query = query.replace(f"{{{key}}}", value)
    return query
