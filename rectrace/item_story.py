"""Why is this item not shown? Put together for people: pure, from rows of sinks/clickhouse/reader.py."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from rectrace.story import ending
from sinks.clickhouse.rows import utc
from streams.detect.proportion import Share, difference

Row = Mapping[str, Any]
CHANCE = 3.0  # standard errors within which a share may have changed by chance
HALF = 0.5  # of what it was: a share that fell below is not healthy
NOTABLE = 0.1  # a change of a fate's share by this much is said in a sentence
BEHIND = timedelta(seconds=60)  # windows are sealed 10 to 25 s after they end: later than this is worth a word


@dataclass(frozen=True)
class Ending:
    """One way its candidacies ended: now, and in as long a time before."""

    fate: str
    stage: str
    component: str
    reason: str
    now: int
    before: int
    share: float  # of its candidacies now
    share_before: float
    mean_rank: float | None
    mean_score: float | None
    mean_position: float | None
    examples: list[str]

    @property
    def what(self) -> str:
        """In words."""
        return ending(self.fate, self.stage, self.component, self.reason)


@dataclass(frozen=True)
class Source:
    """One source that brought it."""

    source: str
    now: int
    before: int
    served: int
    alone: int  # times no other source brought it


@dataclass(frozen=True)
class Asked:
    """What was asked."""

    item: str
    segment: str  # NAME=VALUE; empty: all
    placement: str  # empty: all
    since: datetime
    until: datetime


@dataclass(frozen=True)
class ItemStory:
    """Everything `rectrace item` shows."""

    asked: Asked
    known: bool  # to the catalogue
    title: str
    available: bool | None
    sealed_until: datetime | None
    requests: int
    requests_before: int
    candidacies: int
    candidacies_before: int
    served: int
    served_before: int
    endings: list[Ending]
    sources: list[Source]

    @property
    def behind(self) -> bool:
        """True if what was asked for is not all counted yet."""
        return self.sealed_until is None or self.asked.until - self.sealed_until > BEHIND

    @property
    def healthy(self) -> bool | None:
        """True if it is shown, and not much less than before; None if nothing can be said."""
        if not self.requests or (not self.candidacies and not self.candidacies_before and not self.known):
            return None
        return bool(self.served) and not self._brought_less() and not self._served_less()

    def verdict(self) -> str:
        """Why is it not shown? In one sentence."""
        name = f"{self.asked.item} ({self.title})" if self.title else self.asked.item
        if not self.requests:
            return f"Nothing can be said of {name}: there were no sealed requests."
        if not self.candidacies:
            before = f", of {self.requests_before:,} before in {self.candidacies_before:,}"
            since = before if self.candidacies_before else ""
            gone = " The catalogue says that it is not available." if self.available is False else ""
            return (
                f"{name} is not shown because no source brings it: in none of {self.requests:,} requests{since}.{gone}"
            )
        if not self.served and (lost := self._lost):
            return f"{name} is not shown: of its {self.candidacies:,} candidacies {lost.share:.0%} were {lost.what}."
        if self._served_less() and (grown := self._grown):
            was = self.served_before / self.candidacies_before
            return (
                f"{name} is shown much less than before: served in {self.served / self.candidacies:.0%} of its "
                f"candidacies, before in {was:.0%}; now {grown.share:.0%} "
                f"of them are {grown.what}, before {grown.share_before:.0%}."
            )
        if self._brought_less():
            return (
                f"{name} is shown less because sources bring it less: in {self.candidacies / self.requests:.1%} of "
                f"requests, before in {self.candidacies_before / self.requests_before:.1%}."
            )
        share = f"{self.served / self.requests:.1%}"
        return f"{name} is shown: served in {self.served:,} of {self.requests:,} requests ({share})."

    @property
    def _lost(self) -> Ending | None:
        """The commonest way not to be served."""
        return next((each for each in self.endings if each.fate != "served" and each.now), None)

    @property
    def _grown(self) -> Ending | None:
        """The ending whose share has grown most."""
        return max(self.endings, key=lambda each: each.share - each.share_before, default=None)

    def _served_less(self) -> bool:
        """Of its candidacies."""
        return _halved(
            Share(self.served_before, self.candidacies_before, self.candidacies_before),
            Share(self.served, self.candidacies, self.candidacies),
        )

    def _brought_less(self) -> bool:
        """By its sources, of the requests."""
        return _halved(
            Share(self.candidacies_before, self.requests_before, self.requests_before),
            Share(self.candidacies, self.requests, self.requests),
        )

    def sentences(self) -> list[str]:
        """The answer: how often a candidate and served, where it mostly ends, what changed."""
        where = (f" in {self.asked.segment}" if self.asked.segment else "") + (
            f" at {self.asked.placement}" if self.asked.placement else ""
        )
        if not self.requests:
            return [f"There were no sealed requests{where} in that time."]
        if not self.candidacies:
            unknown = "" if self.known else " The catalogue does not know it either: is the id right?"
            return [f"No source brought it in any of {self.requests:,} requests{where}.{unknown}", *self._before()]
        told = [
            f"A candidate in {self.candidacies:,} of {self.requests:,} requests{where} "
            f"({self.candidacies / self.requests:.1%}), served in {self.served:,} "
            f"({self.served / self.candidacies:.1%} of those)."
        ]
        if lost := self._lost:
            told.append(f"Mostly {lost.what} ({lost.now:,} times, {lost.share:.0%} of its candidacies).")
        return told + self._before()

    def _before(self) -> list[str]:
        if not self.requests_before:
            return ["There is nothing to compare with: no requests in the time before."]
        told = [
            f"Before, a candidate in {self.candidacies_before:,} of {self.requests_before:,} requests "
            f"({self.candidacies_before / self.requests_before:.1%}), served in {self.served_before:,}"
            + (f" ({self.served_before / self.candidacies_before:.1%})." if self.candidacies_before else ".")
        ]
        grown = self._grown
        if self.candidacies and self.candidacies_before and grown and grown.share - grown.share_before >= NOTABLE:
            told.append(
                f"Most grown: {grown.what}, from {grown.share_before:.0%} to {grown.share:.0%} of its candidacies."
            )
        return told

    def as_json(self) -> dict[str, Any]:
        """Plain data: what --json prints."""
        told = asdict(self)
        return {**told.pop("asked"), **told, "sentences": self.sentences()}


def tell_item(asked: Asked, traffic: Row, fates: Sequence[Row], sources: Sequence[Row], entry: Row | None) -> ItemStory:
    """Put the story together. entry: its catalogue entry, if there is one."""
    now, before = sum(row["now"] for row in fates), sum(row["before"] for row in fates)
    served = [row for row in fates if row["fate"] == "served"]
    return ItemStory(
        asked=asked,
        known=entry is not None,
        title=entry["title"] if entry else "",
        available=entry["available"] if entry else None,
        sealed_until=utc(traffic["sealed"]) if traffic["sealed"] else None,
        requests=traffic["now"],
        requests_before=traffic["before"],
        candidacies=now,
        candidacies_before=before,
        served=sum(row["now"] for row in served),
        served_before=sum(row["before"] for row in served),
        endings=[
            Ending(
                **row, share=row["now"] / now if now else 0.0, share_before=row["before"] / before if before else 0.0
            )
            for row in fates
        ],
        sources=[Source(**row) for row in sources],
    )


def _halved(before: Share, now: Share) -> bool:
    """True if a share fell by half or more, and not by chance."""
    return now.value <= before.value * HALF and difference(before, now) <= -CHANCE


def newest_sealed(until: datetime, sealed: datetime | None) -> datetime:
    """Where a span that ends `until` is to end so that all of it is counted: else it would be compared, the seal's
    usual delay short, with a whole one before. A seal that is further behind is told, not hidden."""
    at = utc(sealed) if sealed else None
    return at if at and until - BEHIND <= at < until else until
