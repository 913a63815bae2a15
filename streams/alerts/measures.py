"""What can be wrong with a request, as segments and weeks are judged by it."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from schemas.trends import BadCounts
from streams.detect.burn import Counts


class Measure(NamedTuple):
    """says: what is told of the requests that went wrong. counts: how many did, of those that could have."""

    says: str
    counts: Callable[[BadCounts], Counts]


MEASURES: Final[Mapping[str, Measure]] = {
    "failed": Measure("had a stage that timed out or failed", lambda row: Counts(row.failed, row.requests)),
    "no_response": Measure("got no response", lambda row: Counts(row.requests - row.responded, row.requests)),
    "fallback": Measure("were served by fallback", lambda row: Counts(row.fallback, row.responded)),
    "empty": Measure("got an empty response", lambda row: Counts(row.empty, row.responded)),
    "short": Measure("got fewer items than they asked for", lambda row: Counts(row.short, row.responded)),
}
