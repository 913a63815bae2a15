"""What the alert engine keeps and tells, and the counts it judges by. Windows and times in epoch seconds."""

import hashlib
import re
from typing import Final, Literal, NamedTuple

import msgspec

from schemas.rules import Rule

_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9_]")

Severity = Literal["page", "ticket", "info"]
SEVERITIES: Final = ("info", "ticket", "page")  # ascending
Chain = Literal["sealed", "ingest"]
STALE: Final = 30  # judged windows without a verdict after which an alert ends: nobody knows any more
CHAINS: Final[tuple[Chain, ...]] = ("ingest", "sealed")


class AlertState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alert that is pending or firing, after some window. Its identity is alert and labels, an incident's `began`,
    too."""

    alert: str
    labels: dict[str, str]
    severity: Severity
    status: Literal["pending", "firing"]
    began: int  # start of the first of the bad windows that count: startsAt, fixed once it fires
    recent: list[tuple[int, str]]  # its newest windows with a verdict, newest last: b bad, h between, g good
    told: bool = False  # whether somebody was told that it fires
    fired: int = 0  # the window at which it fired
    idle: int = 0  # windows judged since, in which nobody knew anything of it
    stale: int = STALE  # so many of those end it
    inhibited_by: str = ""  # the name of the alert that says it already; empty once told
    also: list[str] = []  # the names of alerts that are not sent because this one is
    frozen: float | None = None  # the baseline from before it began: what is compared with while it lasts
    value: float | None = None  # evidence of the newest bad window
    baseline: float | None = None
    bad: float = 0
    total: float = 0
    threshold: float = 0
    annotations: dict[str, str] = {}
    examples: list[str] = []  # request ids
    changed: str = ""  # what changed when it began, in one line

    @property
    def fingerprint(self) -> str:
        """Of alert and labels, the same in every window and on every worker."""
        return fingerprint(self.alert, self.labels)

    @property
    def name(self) -> str:
        """For people: the alert and where."""
        return " ".join([self.alert, *(f"{name}={value}" for name, value in self.labels.items())])


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert began to fire, or ended. told: whether Alertmanager hears of it; else it is history for people."""

    status: Literal["firing", "resolved"]
    told: bool
    state: AlertState
    ends_at: int = 0  # resolved: end of the window at which that was known
    why: str = ""  # resolved: empty, or why without having been good again


class Evaluation(msgspec.Struct, frozen=True):
    """What was known after one window of one chain: every alert that is pending or firing, and what changed."""

    chain: Chain
    window: int
    run: int  # the run of the window that was judged; 0: none
    verdict: Literal["judged", "late", "no_data"]
    states: list[AlertState] = []
    changes: list[Change] = []


class SealedWindow(NamedTuple):
    """A window that is sealed, by its visible run. sealed: False for one that is not, and is skipped."""

    window: int
    run: int
    incomplete: bool
    sealed: bool = True


class PlacementCounts(NamedTuple):
    """Requests of one placement in one window; see the view segment_metrics."""

    window: int
    placement: str
    requests: int
    responded: int
    empty: int
    short: int
    fallback: int
    incomplete: int


class StageCounts(NamedTuple):
    """Events of one component in one window, all versions; see the view stage_metrics."""

    window: int
    placement: str
    stage: str
    component: str
    n: int
    failed: int
    zero_out: int
    n_in: int = 0  # candidates given to it, and passed on
    n_out: int = 0


class Latency(NamedTuple):
    """The 95th percentile in ms over the few windows that end with this one. stage, component: empty for the total."""

    window: int
    placement: str
    stage: str
    component: str
    p95: float
    n: int


class LetterCounts(NamedTuple):
    """Dead letters of one component (empty: the bytes do not tell) whose record time lies in the window."""

    window: int
    component: str
    letters: int


class PressureCounts(NamedTuple):
    """Rule pressure at one placement in one window; see the view pressure."""

    window: int
    placement: str
    judged: int  # requests with a model's order
    pressure: float  # sum of 1 - RBO over them
    slots: int  # served


class SlotCounts(NamedTuple):
    """Of these the slots that one rule pinned, boosted or injected; see the view rule_pressure."""

    window: int
    placement: str
    rule: str
    taken: int


class AlertCounts(NamedTuple):
    """Everything that the built-in alerts are judged by, of a range of windows. windows: those that are sealed and
    complete, ascending; nothing is said of others."""

    windows: list[int]
    placements: list[PlacementCounts]
    stages: list[StageCounts]
    latencies: list[Latency]
    letters: list[LetterCounts]
    pressures: list[PressureCounts]
    slots: list[SlotCounts]


class RuleHit(NamedTuple):
    """What one version of a rule found in one group of the requests of a window; see the view rule_hits."""

    window: int
    rule: str
    version: str
    group: dict[str, str]  # of the fields that the rule groups by
    judged: int
    hit: int


class RuleExample(NamedTuple):
    """A request at fault, with everything that a rule may group by."""

    window: int
    rule: str
    request_id: str
    group: dict[str, str]


class RuleCounts(NamedTuple):
    """Everything that the alerts of rules are judged by. rules: by version."""

    rules: dict[str, Rule]
    hits: list[RuleHit]
    examples: list[RuleExample]


class Notification(NamedTuple):
    """One alert as it is told. ends_at: in the future while it fires, in the past once it is over."""

    fingerprint: str
    labels: dict[str, str]  # with alertname and severity
    annotations: dict[str, str]
    starts_at: int
    ends_at: int
    link: str  # where to look first; empty: nowhere


def label_name(name: str) -> str:
    """A name that Alertmanager takes: letters, digits and underscores, no digit first. `segments.country` is
    segments_country."""
    plain = _NO_NAME.sub("_", name) or "_"
    return f"_{plain}" if plain[0].isdigit() else plain


def fingerprint(alert: str, labels: dict[str, str]) -> str:
    """16 hexadecimal digits."""
    text = "\x1f".join([alert, *(f"{name}\x1e{value}" for name, value in sorted(labels.items()))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
