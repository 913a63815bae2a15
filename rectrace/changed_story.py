"""What changed? Put together for people: pure, from the facts of changed_facts.py. `headline` is for an alert, too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from rectrace.changed_facts import Amount, Cause, Novelty
from rectrace.changed_metrics import Metric
from rectrace.item_story import BEHIND
from streams.detect.mix import Moved
from streams.detect.suspects import Deviation, Signal

Kind = tuple[str, str, str]  # component, fate, reason
TOLD: Final = 3  # versions and arms in a sentence


@dataclass(frozen=True)
class Asked:
    """What was asked: the period, and the time of the same length to compare with. placement: empty for all."""

    metric: Metric
    placement: str
    since: datetime
    until: datetime
    then_since: datetime
    then_until: datetime


@dataclass(frozen=True)
class Mix:
    """How candidacies ended that were not served. bits: the Jensen-Shannon divergence of the mix from what it was.
    segment: within which, empty for all; moved: ways whose share of the mix changed, most first."""

    segment: str
    bits: float
    moved: tuple[Moved[Kind], ...]


@dataclass(frozen=True)
class ChangedStory:
    """Everything `rectrace changed` shows. before and now are None where nothing is sealed. changed: by more than
    chance and more than matters. deviations in pipeline order."""

    asked: Asked
    sealed_until: datetime | None
    incomplete: int  # windows of the period that a partition was left out of
    before: Amount | None
    now: Amount | None
    changed: bool
    causes: tuple[Cause, ...]
    deviations: tuple[Deviation, ...]
    mix: Mix
    of_bad: tuple[Deviation, ...]  # the same, of the requests that show the change alone
    novelties: tuple[Novelty, ...]
    placements: tuple[str, ...]  # all there are
    examples: tuple[str, ...]

    @property
    def behind(self) -> bool:
        """True if what was asked for is not all counted yet."""
        return self.sealed_until is None or self.asked.until - self.sealed_until > BEHIND

    @property
    def quiet(self) -> bool:
        """True if nothing deviates."""
        return not (self.changed or self.deviations or self.of_bad or self.mix.moved or self.novelties)

    @property
    def suspect(self) -> Deviation | None:
        """The first deviation in pipeline order: in the requests that show the change, if they deviate, else in all. An
        alert about a change has its stage and component from here."""
        first = next(iter(self.of_bad or self.deviations), None)
        if not first:
            return None
        of_all = (each for each in self.deviations if (each.stage, each.component) == (first.stage, first.component))
        return next(of_all, first)

    @property
    def new_version(self) -> Novelty | None:
        """The first version of a component that appeared or vanished."""
        return next((each for each in self.novelties if each.component), None)

    def as_json(self) -> dict[str, Any]:
        """Plain data: what --json prints."""
        told = {name: value for name, value in asdict(self).items() if name not in ("asked", "mix")}
        asked = {name: value for name, value in asdict(self.asked).items() if name != "metric"}
        moved = [
            dict(zip(("component", "fate", "reason"), each.kind, strict=True))
            | {"before": each.before, "now": each.now, "bits": each.bits, "z": each.z}
            for each in self.mix.moved
        ]
        for name in ("before", "now"):
            if amount := getattr(self, name):
                told[name] = _amount_json(amount)
        return {
            "metric": self.asked.metric.name, **asked, "headline": headline(self), "sentences": sentences(self), **told,
            "removals": {"segment": self.mix.segment, "bits": self.mix.bits, "moved": moved},
            "commands": commands(self),
        }  # fmt: skip


def headline(story: ChangedStory) -> str:
    """The answer in one line: the metric now and then, whose requests, and the first component that deviates."""
    told = [_metric(story)]
    if story.now and story.before:
        told += [f"{story.causes[0].ep:.0%} of it in {story.causes[0].names}"] if story.causes else []
        told += [_says(story.suspect, story)] if story.suspect else []
        told += [novelty(story.new_version)] if story.new_version else []
    return "; ".join(told)


def sentences(story: ChangedStory) -> list[str]:
    """What is to be said beside the headline."""
    if not story.now:
        return ["There were no sealed requests in that time."]
    if not story.before:
        return ["There is nothing to compare with: no sealed requests in the time before."]
    if story.quiet:
        return [f"Nothing deviates: neither the metric nor any component, reason, version or arm.{_left_out(story)}"]
    told = []
    if story.changed and not story.causes:
        told.append("No segment, experiment arm or placement stands out: the change is in all of them.")
    if not (story.deviations or story.of_bad):
        told.append("No component deviates: none is missing, fails, loses or takes more than before.")
    if story.mix.moved:
        told.append(
            f"What moved most in how candidates are lost{_within(story.mix.segment)}: {moved(story.mix.moved[0])}."
        )
    told += [f"{novelty(each)}." for each in story.novelties[:TOLD]]
    return [*told, *filter(None, [_left_out(story).strip()])]


def commands(story: ChangedStory) -> list[str]:
    """One for each request to look at, ready to run."""
    return [f"rectrace why {request_id}" for request_id in story.examples]


def value(metric: Metric, amount: Amount) -> str:
    """The metric's value in its unit."""
    if metric.kind == "count":
        return f"{amount.value:,.0f}"
    if metric.kind == "latency":
        return f"{amount.value:,.0f} ms"
    return f"{amount.value:.2f}" if metric.kind == "mean" else _percent(amount.value)


def interval(metric: Metric, amount: Amount) -> str:
    """Its 95 % interval, if there is one."""
    if not amount.interval:
        return ""
    low, high = amount.interval
    return f"{low:,.0f} to {high:,.0f}" if metric.kind == "count" else f"{_percent(low)} to {_percent(high)}"


def says(deviation: Deviation) -> str:
    """What deviates, in words, without the component's name."""
    return _SAYS[deviation.signal](deviation)


def novelty(each: Novelty) -> str:
    """A version, arm or value that appeared or vanished, in words."""
    name = f"{each.component} {each.name}" if each.component else each.name
    of = "its events" if each.component else "requests"
    where = f", only in {each.within}" if each.within else ""
    if not each.wholly:
        grew = "grew" if each.appeared else "shrank"
        return f"{name} {grew} from {_percent(each.before)} to {_percent(each.now)} of {of}{where}"
    share = f"{_percent(max(each.before, each.now))} of {of}"
    return f"{name} appeared ({share}{where})" if each.appeared else f"{name} vanished (was {share}{where})"


def moved(each: Moved[Kind]) -> str:
    """A way to be lost whose share changed, in words."""
    component, fate, reason = each.kind
    what = reason or fate.replace("_", " ")
    return f"{what} by {component or 'no one'}, {_percent(each.before)} of them before, now {_percent(each.now)}"


def _metric(story: ChangedStory) -> str:
    metric = story.asked.metric
    where = f" at {story.asked.placement}" if story.asked.placement else ""
    if not story.now:
        return f"{metric.says}{where}: no sealed requests"
    told = f"{metric.says}{where} {value(metric, story.now)}{_counts(metric, story.now)}"
    if not story.before:
        return f"{told}, nothing to compare with"
    was = f"{value(metric, story.before)}{_counts(metric, story.before)}"
    return f"{told}, was {was}" if story.changed else f"{told}, not changed: was {was}"


def _counts(metric: Metric, amount: Amount) -> str:
    if metric.kind in ("count", "latency"):
        return ""
    return (
        f" ({amount.part:,.0f} of {amount.whole:,.0f})"
        if metric.kind == "share"
        else f" ({amount.whole:,.0f} requests)"
    )


def _says(suspect: Deviation, story: ChangedStory) -> str:
    of = "in them it " if suspect in story.of_bad and suspect not in story.deviations else ""
    name = f"{suspect.stage}/{suspect.component}"
    return f"suspect {name}: {of}{says(suspect)}" if story.changed else f"but {name} deviates: {says(suspect)}"


def _left_out(story: ChangedStory) -> str:
    windows = story.incomplete
    return f" {windows:,} windows of it are incomplete: a partition made no progress." if windows else ""


def _within(segment: str) -> str:
    return f" in {segment}" if segment else ""


def _percent(share: float) -> str:
    """Digits by size: 0.04 %, 0.4 %, 4.2 %, 42 %."""
    digits = 0 if share >= 0.1 or share == 0 else 1 if share >= 0.01 else 2
    return f"{share:.{digits}%}"


def _of(text: str) -> Callable[[Deviation], str]:
    """Of a share: `text` with the share now, and before."""
    return lambda each: f"{text.format(_percent(each.now), each.what)} (was {_percent(each.before)})"


_SAYS: Final[Mapping[Signal, Callable[[Deviation], str]]] = {
    "missing": _of("sends nothing in {} of requests"),
    "failed": _of("fails in {}"),
    "fallback": _of("falls back in {}"),
    "empty": _of("puts out nothing in {}"),
    "candidates": lambda each: f"finds {each.now:.1f} candidates a request (was {each.before:.1f})",
    "yield": _of("passes {} of candidates"),
    "constant": lambda each: (
        "gives all candidates one score" if each.now > each.before else "no longer gives all candidates one score"
    ),
    "score": lambda each: f"scores {each.now:.3g} on average (was {each.before:.3g})",
    "guard": lambda each: (
        f"drops {_percent(each.now)} of unavailable items as {each.what} (was {_percent(each.before)})"
    ),
    "dropped": _of("drops {} as {}"),
    "unexplained": _of("loses {} without a reason"),
    "adjusted": lambda each: f"{each.what} touches {each.now:.2f} candidates a request (was {each.before:.2f})",
    "delta": lambda each: f"{each.what} adjusts by {each.now:.3g} (was {each.before:.3g})",
    "duration": lambda each: f"takes {each.now:.0f} ms on average (was {each.before:.0f})",
}


def _amount_json(amount: Amount) -> dict[str, Any]:
    low, high = amount.interval or (None, None)
    return {"value": amount.value, "part": amount.part, "whole": amount.whole, "low": low, "high": high}


def most_moved(moves: Sequence[Moved[Kind]]) -> tuple[Moved[Kind], ...]:
    """What may be blamed: what is cut, or not served for a fallback, is the consequence of something else."""
    return tuple(each for each in moves if each.kind[1] not in ("cut", "fallback", "no_response"))
