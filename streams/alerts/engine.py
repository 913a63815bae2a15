"""Evaluates sealed windows and tells Alertmanager, between the ports. One tick, called by the worker that seals.

Nothing is remembered between two ticks that is not in the store, so a restart, a kill between any two steps and another
worker that takes over are all the same thing:

1. read the newest evaluation: its window and the alerts that are pending or firing after it
2. judge the windows that were sealed since, strictly in order, each once
3. save them in one insert: states and changes are there together, or not at all
4. of each target: read up to where it has been told, send what changed since, in order, and mark that

A crash between 3 and 4 sends later, one between sending and marking sends the same again: labels and startsAt follow
from the store, so Alertmanager takes it for the alert that it has. Of two evaluations of a window the first counts, so
two workers that both believe they seal do no harm either. What is firing is sent again every `resend` seconds, because
Alertmanager takes what it does not hear of for over.

How ingest stands is a chain of its own, by the clock and not by windows: when it stands still no window comes.
"""

import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Final

from msgspec.structs import replace

from schemas.alerts import CHAINS, SEVERITIES, AlertState, Chain, Change, Evaluation, Notification, SealedWindow
from schemas.errors import Unavailable
from schemas.parts import WINDOW_S
from streams.alerts.definitions import INGEST_LAG
from streams.alerts.machine import step
from streams.alerts.model import Definition, Signal, Signals, SignalSource
from streams.alerts.text import Links, describe, notification
from streams.alerts.thresholds import Thresholds
from streams.metrics import Metrics
from streams.ports import AlertStore, Notifier
from streams.retries import pause_after

log = logging.getLogger(__name__)

BATCH: Final = 30  # windows judged by one read: less than the history that they are compared with
MOST_BATCHES: Final = 20  # a tick; the next one goes on
START_S: Final = 600  # the first time, so much is evaluated of what was sealed before
SKIP_S: Final = 60  # a window that is not sealed so long after its end, while newer ones are, keeps them no longer
EXPLAINED_S: Final = 60  # from when it fired
ASKING_S: Final = 10.0  # a tick: then alerts go out without causes or examples, and are asked about in the next ones
EXAMPLES_FROM: Final = 6  # windows in which examples are looked for
LONGEST_RETRY_S: Final = 60.0
FRESH_S: Final = 20.0


@dataclass(frozen=True)
class AlertPolicy:
    """Seconds."""

    late: float = 60.0  # windows evaluated so long after their end page nobody
    hold: float = 300.0  # Alertmanager takes for over what it has not heard of for so long
    resend: float = 60.0


@dataclass
class _Target:
    """What is known of one Alertmanager by this process only: all of it may be lost."""

    resent_at: float = float("-inf")
    failures: int = 0
    retry_at: float = float("-inf")


@dataclass
class Engine:
    """targets: by name, which must be the same on every worker. explain: what changed since an alert began, up to a
    window's end, in one line; empty if nothing is to be said. Blocks; raises Unavailable when the store is away."""

    store: AlertStore
    sources: Sequence[SignalSource]
    targets: Mapping[str, Notifier]
    thresholds: Thresholds
    metrics: Metrics
    policy: AlertPolicy = field(default_factory=AlertPolicy)
    links: Links = field(default_factory=Links)
    explain: Callable[[AlertState, int], str] = lambda state, window: ""
    monotonic: Callable[[], float] = time.monotonic
    _read_at: float = 0.0  # monotonic: when what fires was read
    _asking_until: float = 0.0  # monotonic: what explains alerts is read until then
    _known: dict[str, _Target] = field(default_factory=dict)
    _firing: list[AlertState] = field(default_factory=list)

    def tick(self, now: float) -> None:
        """Evaluate what has been sealed, and tell what is to be told; now in epoch seconds."""
        began = self.monotonic()
        try:
            self._introduce()
            self._watch_ingest(now)
            self._evaluate(now)
            self._read_at = self.monotonic()
            self._firing = self._read_firing()
        except Exception:
            self._read_at = self.monotonic()
            for name in self.targets:  # while nobody knows better, what fires goes on
                self._guarded(name, lambda notifier, target: self._resend(notifier, target, now), now)
            raise
        now += self.monotonic() - began  # what is told holds from now on, however long that took
        for name in self.targets:
            self._guarded(name, partial(self._tell, name, now), now)

    # --- evaluating

    def _evaluate(self, now: float) -> None:
        self._asking_until = self.monotonic() + ASKING_S
        for _ in range(MOST_BATCHES):
            last = self.store.latest("sealed")
            after = last.window if last else int(now - START_S) // WINDOW_S * WINDOW_S
            sealed = self.store.sealed(after, BATCH)
            start = after if last or not sealed else sealed[0].window - WINDOW_S
            windows = list(in_order(sealed, start, now))[:BATCH]
            if not windows:
                return
            done = self._judge(windows, last.states if last else [], now)
            self.store.save(done)
            self._report(done)
            if len(windows) < BATCH:
                return

    def _judge(self, windows: Sequence[SealedWindow], states: Sequence[AlertState], now: float) -> list[Evaluation]:
        loaded = [source.load(windows[0].window, windows[-1].window) for source in self.sources]
        active = {state.fingerprint: state for state in states}
        done = []
        for each in windows:
            if each.incomplete or not each.sealed:
                done.append(Evaluation("sealed", each.window, each.run, "no_data", list(active.values())))
                continue
            late = now - (each.window + WINDOW_S) > self.policy.late
            signals = self._signals(loaded, each.window, list(active.values()))
            active, changes = step(active, each.window, signals, describe, late=late)
            active = {key: self._with_cause(state, each.window) for key, state in active.items()}
            active, changes = self._with_examples(active, changes, signals)
            done.append(
                Evaluation(
                    "sealed", each.window, each.run, "late" if late else "judged", list(active.values()), changes
                )
            )
        return done

    @staticmethod
    def _signals(loaded: Sequence[Signals], window: int, active: Sequence[AlertState]) -> list[Signal]:
        return [signal for signals in loaded for signal in signals.at(window, active)]

    def _with_examples(
        self, active: Mapping[str, AlertState], changes: Sequence[Change], signals: Sequence[Signal]
    ) -> tuple[dict[str, AlertState], list[Change]]:
        """Request ids for what fires now, and what changed. Without them an alert is sent all the same."""
        known, told = dict(active), []
        for change in changes:
            state = known.get(change.state.fingerprint, change.state)
            asks = change.status == "firing" and not state.examples and not self._asked_enough
            if asks and (kind := _kind(state, signals)):
                last = state.recent[-1][0]
                first = max(state.began, last - (EXAMPLES_FROM - 1) * WINDOW_S)
                state = replace(state, examples=self._examples(kind, state.labels, first, last))
                known[state.fingerprint] = state
            told.append(replace(change, state=state))
        return known, told

    def _examples(self, kind: str, labels: Mapping[str, str], first: int, last: int) -> list[str]:
        try:
            return list(self.store.examples(kind, labels, first, last))
        except Unavailable as error:
            log.warning("no examples for an alert: %s", error)
            return []

    def _with_cause(self, state: AlertState, window: int) -> AlertState:
        """What fires and is told, with what changed; while too few requests name no cause, asked again for a while."""
        if not state.told or state.changed or window - state.fired > EXPLAINED_S or self._asked_enough:
            return state
        try:
            return replace(state, changed=self.explain(state, window))
        except Exception as error:  # whatever it is, the alert must go out
            log.warning("cannot say what changed for %s: %s", state.name, error)
            return state

    @property
    def _asked_enough(self) -> bool:
        return self.monotonic() > self._asking_until

    def _watch_ingest(self, now: float) -> None:
        """Whether what is known is of now. What this chain calls a window is ten seconds of the clock."""
        definition = self.thresholds.of(INGEST_LAG)
        slot = int(now) // WINDOW_S * WINDOW_S
        last = self.store.latest("ingest")
        if last and last.window >= slot:
            return
        newest = self.store.newest_complete()
        signals = []
        if definition is not None and newest is not None:
            signals = [Signal(self._no_gap(definition), {}, value=max(now - newest - WINDOW_S, 0.0))]
        before = {state.fingerprint: state for state in (last.states if last else [])}
        after, changes = step(before, slot, signals, describe)
        self.store.save([Evaluation("ingest", slot, 0, "judged", list(after.values()), changes)])

    def _no_gap(self, definition: Definition) -> Definition:
        """Windows that are late page nobody: then this alert must, whatever its threshold is."""
        threshold = min(definition.threshold, self.policy.late)
        clear = min(definition.threshold if definition.clear is None else definition.clear, 0.75 * threshold)
        return dataclasses.replace(definition, threshold=threshold, clear=clear)

    def _report(self, done: Sequence[Evaluation]) -> None:
        for each in done:
            self.metrics.alert_evaluations.labels(each.verdict).inc()
        self.metrics.alerts_evaluated_until.set(done[-1].window + WINDOW_S)

    # --- telling

    def _introduce(self) -> None:
        """A new target hears of what is firing, not of what was; and of all that is still to be evaluated."""
        for name in self.targets:
            if name in self._known:
                continue
            delivered = self.store.delivered(name)
            for chain in CHAINS:
                if chain not in delivered:
                    newest = self.store.latest(chain)
                    self.store.mark_delivered(name, chain, newest.window if newest else 0)
            self._known[name] = _Target()
            self.metrics.notifications.labels(name)  # 0 until then, so that the first one is an increase
            self.metrics.notify_failures.labels(name)

    def _read_firing(self) -> list[AlertState]:
        """What fires and has been told, of all chains."""
        newest = [self.store.latest(chain) for chain in CHAINS]
        found = [state for evaluation in newest if evaluation for state in evaluation.states]
        counts = Counter[tuple[str, str]]((state.status, state.severity) for state in found)
        for status, severity in product(("pending", "firing"), SEVERITIES):
            self.metrics.alerts.labels(status, severity).set(counts[status, severity])
        return [state for state in found if state.told]

    def _guarded(self, name: str, tell: Callable[[Notifier, _Target], None], now: float) -> None:
        """Talk to one target, unless it was away a moment ago. What it misses is kept."""
        target = self._known.get(name)
        if target is None or now < target.retry_at:
            return
        try:
            tell(self.targets[name], target)
            target.failures = 0
        except Unavailable as error:
            target.failures += 1
            target.retry_at = now + pause_after(target.failures, LONGEST_RETRY_S)
            self.metrics.notify_failures.labels(name).inc()
            log.warning("%s. What is to be told is kept; trying again.", error)

    def _tell(self, name: str, now: float, notifier: Notifier, target: _Target) -> None:
        delivered = self.store.delivered(name)
        for chain in CHAINS:
            self._catch_up(name, notifier, chain, delivered[chain], now)
        self._resend(notifier, target, now)

    def _resend(self, notifier: Notifier, target: _Target, now: float) -> None:
        """What fires, unless this worker stood still since it read that: another one may know better by now."""
        due = now - target.resent_at >= self.policy.resend
        if due and self._firing and self.monotonic() - self._read_at <= FRESH_S:
            notifier.send([self._notification(Change("firing", True, state), now) for state in self._firing])
            target.resent_at = now

    def _catch_up(self, name: str, notifier: Notifier, chain: Chain, reached: int, now: float) -> None:
        """Send what changed since this target was told last."""
        while True:
            changed = self.store.changed(chain, reached, BATCH)
            for evaluation in changed:
                told = [self._notification(change, now) for change in evaluation.changes if change.told]
                if told:
                    notifier.send(told)
                    self.metrics.notifications.labels(name).inc(len(told))
                self.store.mark_delivered(name, chain, evaluation.window)
            if len(changed) < BATCH:
                return
            reached = changed[-1].window

    def _notification(self, change: Change, now: float) -> Notification:
        """What is over ended by now: ten seconds of the clock may not have."""
        ends_at = min(change.ends_at, int(now)) if change.status == "resolved" else int(now + self.policy.hold)
        return notification(change.state, self.links, ends_at, change.why)


def _kind(state: AlertState, signals: Sequence[Signal]) -> str:
    """What shows this alert: those of one name may be of several kinds."""
    same = (each for each in signals if each.definition.name == state.alert and each.labels == state.labels)
    return next((each.definition.examples for each in same), "")


def in_order(sealed: Sequence[SealedWindow], after: int, now: float) -> Iterator[SealedWindow]:
    """The windows to judge now: every one after `after`, up to the first that may still be sealed."""
    expected = after + WINDOW_S
    for each in sealed:
        while expected < each.window:
            if now - (expected + WINDOW_S) <= SKIP_S:
                return
            yield SealedWindow(expected, 0, incomplete=False, sealed=False)
            expected += WINDOW_S
        yield each
        expected += WINDOW_S
