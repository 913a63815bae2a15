"""Stories from a reader's answers: what the command line and the console both tell."""

from dataclasses import dataclass, replace
from typing import Any

from rectrace.item_story import Asked, ItemStory, newest_sealed, tell_item
from rectrace.story import Row, Story, tell
from sinks.clickhouse.reader import Period, Reader


@dataclass(frozen=True)
class Told:
    """One request: its story, and the rows that it was told from."""

    story: Story
    events: list[dict[str, Any]]  # in pipeline order, as they were merged
    catalog: dict[str, Row]  # of its candidates, by item


def request(reader: Reader, request_id: str) -> Told | None:
    """None: nothing is known of it."""
    trace = reader.trace(request_id)
    if trace is None:
        return None
    fates = reader.fates(request_id)
    catalog: dict[str, Row] = dict(reader.catalog([fate["item"] for fate in fates]))
    return Told(tell(trace, fates, reader.parts(request_id), catalog), list(trace["stages"]), catalog)


def item(reader: Reader, asked: Asked, *, until_now: bool) -> ItemStory:
    """until_now: the span ends at the present, and is moved to where all of it is sealed."""
    period = Period(asked.since, asked.until)
    if until_now:
        sealed = reader.item_traffic(asked.item, period, asked.segment, asked.placement)["sealed"]
        end = newest_sealed(asked.until, sealed)
        period = Period(end - (asked.until - asked.since), end)
        asked = replace(asked, since=period.since, until=end)
    where = (asked.item, period, asked.segment, asked.placement)
    return tell_item(
        asked,
        reader.item_traffic(*where),
        reader.item_fates(*where),
        reader.item_sources(*where),
        reader.catalog([asked.item]).get(asked.item),
    )
