"""pending -> firing -> resolved: one window's signals applied to what was known before it. Pure.

The engine keeps nothing else: what was known is read from the store before a window and written after it, so a crash,
or another worker in between, changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from schemas.alerts import AlertState, Change, fingerprint
from schemas.parts import WINDOW_S
from streams.alerts.inhibition import inhibitor, is_settled, order
from streams.alerts.judge import Verdict, judge
from streams.alerts.model import Signal

FORGET_S: Final = 6 * 3600  # what is compared with the time before is taken for normal after so long

States = Mapping[str, AlertState]  # by fingerprint
Describe = Callable[[Signal, AlertState], dict[str, str]]


def step(
    before: States, window: int, signals: Iterable[Signal], describe: Describe, *, late: bool = False
) -> tuple[dict[str, AlertState], list[Change]]:
    """What is pending or firing after the window (epoch seconds), and what changed.

    late: the window is old, so nobody is told that something fires; if it still is bad in one that is not, somebody is
    told then. That something ended is always told to who was told that it fires.
    """
    after = dict(before)
    bad: set[str] = set()
    judged: set[str] = set()
    quiet: set[str] = set()
    for signal in signals:
        key = fingerprint(signal.definition.name, dict(signal.labels))
        was = after.get(key)
        verdict = judge(signal, was.frozen if was else None)
        if verdict is None or key in judged:
            continue
        judged.add(key)
        state = _judged(was, signal, window, verdict)
        if state is None:
            after.pop(key, None)
            continue
        if verdict == "b":
            bad.add(key)
            state = replace(state, annotations=describe(signal, state))
        after[key] = state
        if _is_quiet(state, signal.definition.quiet):
            quiet.add(key)
    changes = _end(after, window, judged, quiet)
    return after, changes + _tell(after, window, bad, late=late)


def _judged(was: AlertState | None, signal: Signal, window: int, verdict: Verdict) -> AlertState | None:
    """The state after one more verdict; None: nothing, or what was pending has passed."""
    definition = signal.definition
    recent = [*(was.recent if was else ()), (window, str(verdict))][-max(definition.of, definition.quiet) :]
    bad = [at for at, each in recent[-definition.of :] if each == "b"]
    firing = was if was and was.status == "firing" else None
    if not firing and not bad:
        return None
    fires = firing is not None or len(bad) >= definition.needed
    state = AlertState(
        alert=definition.name,
        labels=dict(signal.labels),
        severity=firing.severity if firing else definition.severity,
        status="firing" if fires else "pending",
        began=firing.began if firing else bad[0] - (definition.every - 1) * WINDOW_S,  # the start of its slot
        recent=recent,
        fired=firing.fired if firing else window if fires else 0,
        stale=definition.stale,
        frozen=was.frozen if was else signal.baseline if definition.compares else None,
    )
    if was:
        state = replace(state, **{name: getattr(was, name) for name in _KEPT})
    return _evidence(state, signal) if verdict == "b" else state


_EVIDENCE: Final = ("value", "baseline", "bad", "total", "threshold", "examples")
_KEPT: Final = ("told", "inhibited_by", "also", "annotations", "changed", *_EVIDENCE)


def _evidence(state: AlertState, signal: Signal) -> AlertState:
    return replace(
        state,
        value=signal.value,
        baseline=signal.baseline if state.frozen is None else state.frozen,
        bad=signal.bad,
        total=signal.total,
        threshold=signal.definition.threshold,
        examples=list(signal.examples) or state.examples,
    )


def _is_quiet(state: AlertState, windows: int) -> bool:
    return len(state.recent) >= windows and all(verdict == "g" for _, verdict in state.recent[-windows:])


def _end(after: dict[str, AlertState], window: int, judged: set[str], quiet: set[str]) -> list[Change]:
    """Take out what is over, and what nobody knows anything of any more."""
    changes = []
    for key, state in list(after.items()):
        idle = 0 if key in judged else state.idle + 1
        forgotten = state.frozen is not None and window - state.began >= FORGET_S
        if key in quiet:
            why = ""
        elif idle >= state.stale:
            why = "no data any more"
        elif forgotten and state.status == "firing":
            why = f"for {FORGET_S // 3600} h: taken for normal from now on"
        else:
            after[key] = replace(state, idle=idle)
            continue
        del after[key]
        if state.status == "firing":
            changes.append(Change("resolved", state.told, state, window + WINDOW_S, why))
    return changes


def _tell(after: dict[str, AlertState], window: int, bad: set[str], *, late: bool) -> list[Change]:
    """Decide of what fires who is told, causes first; returns what fires newly, and what is told only now."""
    speaks: dict[str, str] = {}  # fingerprint of what may inhibit: that of the alert which was told
    changed: dict[str, bool] = {}
    for state in sorted((each for each in after.values() if each.status == "firing"), key=order):
        key = state.fingerprint
        fresh = state.fired == window
        if state.told:
            speaks[key] = key
        elif not late and key in bad and not is_settled(state):
            parent = inhibitor(state, [after[each] for each in speaks])
            root = speaks[parent.fingerprint] if parent else key
            after[key] = replace(state, told=parent is None, inhibited_by=after[root].name if parent else "")
            speaks[key] = root
            if parent and state.name not in after[root].also:
                after[root] = replace(after[root], also=[*after[root].also, state.name])
        if fresh or after[key].told != state.told:
            changed[key] = after[key].told
    return [Change("firing", told, after[key]) for key, told in changed.items()]
