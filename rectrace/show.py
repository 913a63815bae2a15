"""Views for the terminal: rich renderables from plain data. The first line is the answer.

Ids are never folded or cut: people copy them. Where a table has no room for them there are lines instead.
"""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rectrace.item_story import ItemStory
from rectrace.story import Candidate, Story
from rectrace.terminal import BAD, DIM, GOOD, WIDE, Visible, console, labels, moment, number, table

__all__ = ["console", "dead_letters", "item", "item_story", "more", "requests", "story", "table"]

_BESIDE_IDS: Final = 54  # columns of a list of requests for all but the ids


def more(limit: int) -> None:
    """Say, beside the output, that there may be more than was asked for."""
    console(stderr=True).print(f"the newest {limit}; --limit or a filter shows more", style=DIM)


def story(told: Story, width: int) -> RenderableType:
    """A request's journey."""
    parts: list[RenderableType] = [_head(told), "", _stages(told, width)]
    if told.sources:
        parts += ["", _sources(told)]
    if told.ends():
        parts += ["", _ends(told)]
    if told.n_served:
        parts += ["", _served(told, width)]
    return Visible(*parts)


def item_story(told: Story, candidate: Candidate) -> RenderableType:
    """One item's story in one request."""
    served = f"served at position {candidate.position}" if candidate.position else "not served"
    head = Text.assemble((candidate.name, "bold"), f" in request {told.request_id}: ")
    return Visible(head.append(served, GOOD if candidate.position else BAD), candidate.sentence())


def _head(told: Story) -> Text:
    text = Text.assemble(("request ", "bold"), (told.request_id, "bold cyan"), ": ")
    text.append(told.headline(), BAD if told.statuses or not told.responded else GOOD)
    for warning in told.warnings():
        text.append(f"\n{warning}", BAD)
    facts = [moment(told.at), f"at {told.placement}" if told.placement else ""]
    facts += [f"for user {told.user_id}" if told.user_id else ""]
    text.append("\n" + " ".join(filter(None, facts)))
    if named := labels(told.segments, told.experiments):
        text.append(f"\n{named}")
    if told.closed:
        text.append(f"\nclosed: {', '.join(told.closed)}", DIM)
    return text


def _stages(told: Story, width: int) -> Table:
    wide = width >= WIDE
    versions = wide and any(line.version for line in told.stages)
    made = table(
        "#stage", "component", *(["version"] if versions else []), ">at ms", ">took ms", ">in", ">out",
        "dropped" if wide else "#dropped", "status",
    )  # fmt: skip
    for line in told.stages:
        drops = [f"{reason} {count}" for reason, count in line.dropped.items()]
        drops += [f"{line.moved} adjusted"] if line.moved else []
        attempt = f" (attempt {line.attempt})" if line.attempt else ""
        made.add_row(
            line.stage, line.component + attempt, *([line.version] if versions else []), number(line.offset_ms),
            number(line.duration_ms), number(line.n_in), number(line.n_out),
            (", " if wide else "\n").join(drops),
            Text(line.status + (f": {line.error}" if line.error else ""), "" if line.status == "ok" else BAD),
        )  # fmt: skip
    return made


def _sources(told: Story) -> Table:
    made = table("source", ">candidates", ">found by it alone", ">served")
    for line in told.sources:
        made.add_row(line.source, number(line.retrieved), number(line.alone), number(line.served))
    return made


def _ends(told: Story) -> Table:
    made = table("#>not served", "how they ended", "for example")
    for end in told.ends():
        made.add_row(number(end.count), end.what, " ".join(end.items))
    return made


def _served(told: Story, width: int) -> Table:
    titles = width >= WIDE and any(each.title for each in told.candidates)
    made = table(">served", "#item", *(["~title"] if titles else []), ">model rank", ">score", "adjusted", "sources")
    for candidate in (each for each in told.candidates if each.position):
        moves = ", ".join(f"{move.action} {move.rule_id}" for move in candidate.moves)
        made.add_row(
            number(candidate.position), candidate.item, *([candidate.title] if titles else []), _rank(candidate),
            number(candidate.score, 3), moves, candidate.brought_by,
        )  # fmt: skip
    return made


def _rank(candidate: Candidate) -> Text:
    """The model's rank, with how far the served position is from it."""
    if not candidate.model_rank:
        return Text("-")
    moved = candidate.model_rank - candidate.position
    arrow = f" ↑{moved}" if moved > 0 else f" ↓{-moved}" if moved < 0 else ""
    return Text(f"{candidate.model_rank:,}{arrow}", GOOD if moved > 0 else "yellow" if moved < 0 else "")


def requests(rows: Sequence[dict[str, Any]], item: str, width: int) -> RenderableType:
    """A list of requests. item: the one they were asked by, if any."""
    one_day = len({row["at"].date() for row in rows}) == 1
    ids = max(len(row["request_id"]) + len(row["user_id"]) for row in rows)
    if ids > width - _BESIDE_IDS - (len("not served") if item else 0):
        return Visible(*(_request(row, item) for row in rows))
    wide = width >= WIDE
    made = table(
        f"#at {rows[0]['at']:%Y-%m-%d} UTC" if one_day and wide else "#at (UTC)", "#request", "placement", "#user",
        "#>served", "#>ms", *([f"#{item}"] if item else []), "status", *(["segments"] if wide else []),
    )  # fmt: skip
    for row in rows:
        at = row["at"]
        made.add_row(
            f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}" if one_day else f"{at:%m-%d %H:%M:%S}", row["request_id"],
            row["placement"], row["user_id"], f"{row['n_served']}/{row['k']}", number(row["total_ms"]),
            *([_position(row)] if item else []), _statuses(row),
            *([labels(row["segments"], row["experiments"])] if wide else []),
        )  # fmt: skip
    return Visible(made)


def _request(row: dict[str, Any], item: str) -> Text:
    """One request where a table has no room."""
    text = Text.assemble(f"{row['at']:%m-%d %H:%M:%S}  {row['request_id']}  ", _statuses(row))
    took = f" in {row['total_ms']:,.0f} ms" if row["total_ms"] is not None else ""
    user = f", user {row['user_id']}" if row["user_id"] else ""
    found = f", {item}: {_position(row)}" if item else ""
    return text.append(f"\n    {row['placement']}{user}, served {row['n_served']} of {row['k']}{took}{found}", DIM)


def _position(row: dict[str, Any]) -> str:
    return f"position {row['position']}" if row["position"] else "not served"


def _statuses(row: dict[str, Any]) -> Text:
    return Text(", ".join(row["statuses"]) or "ok", BAD if row["statuses"] else GOOD)


def dead_letters(rows: Sequence[dict[str, Any]], width: int) -> RenderableType:
    """A list of dead letters: what is wrong, and where the record lies."""
    if width < WIDE:
        return Visible(*(_letter(row) for row in rows))
    made = table(
        "#at (UTC)", "#reason", "field", "component", "what is wrong", "topic/partition/offset", ">bytes", "#request"
    )
    for row in rows:
        origin = f"{row['topic']}/{row['partition']}/{row['offset']}"
        at = row["record_at"]
        made.add_row(
            f"{at:%m-%d %H:%M:%S}", row["reason"], row["field"], row["component"], row["message"], origin,
            number(len(row["raw"])), row["request_id"],
        )  # fmt: skip
    return Visible(made)


def _letter(row: dict[str, Any]) -> Text:
    """One dead letter where a table has no room."""
    text = Text.assemble(f"{row['record_at']:%m-%d %H:%M:%S}  ", (row["reason"], BAD), f" {row['field']}")
    text.append(f" of {row['component']}" if row["component"] else "")
    text.append(f"\n    {row['message']}")
    origin = f"{row['topic']}/{row['partition']}/{row['offset']}"
    request = f", request {row['request_id']}" if row["request_id"] else ""
    return text.append(f"\n    {origin}, {len(row['raw']):,} bytes{request}", DIM)


def item(told: ItemStory, width: int) -> RenderableType:
    """Why an item is not shown."""
    asked = told.asked
    head = Text.assemble((asked.item, "bold cyan"), f"  {told.title}  " if told.title else "  ")
    head.append(f"{asked.since:%Y-%m-%d %H:%M:%S} to {asked.until:%H:%M:%S} UTC", DIM)
    if told.sealed_until is None:
        head.append("\nnothing is sealed yet: counts come 10 to 25 s after the first requests", BAD)
    elif told.behind:
        at = told.sealed_until
        head.append(f"\nsealed until {at:%Y-%m-%d %H:%M:%S}: what came later is not counted yet", BAD)
    if told.available is False:
        head.append("\nthe catalogue says it is not available", BAD)
    parts: list[RenderableType] = [head, *told.sentences()]
    if told.endings:
        parts += ["", _endings(told, width)]
    if told.sources:
        parts += ["", _item_sources(told)]
    return Visible(*parts)


def _endings(told: ItemStory, width: int) -> Table:
    wide = width >= WIDE
    more = ["#>model rank", "#>score", "#for example"] if wide else []
    made = table("how it ended", "#>times", "#>share", "#>before", "#>share before", *more)
    for ending in told.endings:
        example = " ".join(ending.examples[:1])
        what = Text(ending.what, GOOD if ending.fate == "served" else "")
        if example and not wide:
            what.append(f"\n  in request {example}", DIM)
        made.add_row(
            what, number(ending.now), f"{ending.share:.1%}", number(ending.before), f"{ending.share_before:.1%}",
            *([number(ending.mean_rank, 1), number(ending.mean_score, 3), example] if wide else []),
        )  # fmt: skip
    return made


def _item_sources(told: ItemStory) -> Table:
    made = table("source", ">times", ">found by it alone", ">served", ">times before")
    for line in told.sources:
        made.add_row(line.source, number(line.now), number(line.alone), number(line.served), number(line.before))
    return made
