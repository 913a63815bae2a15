"""The signals of experiments: arms that do not have the users planned for them. Pure but for `load`.

Looked at once an hour, over the users of the last day. An experiment that nobody has planned has no signal.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from schemas.alerts import AlertState
from schemas.distributions import ArmUsers
from schemas.parts import WINDOW_S
from streams.alerts.distribution_definitions import SAMPLE_RATIO_MISMATCH
from streams.alerts.due import read_due
from streams.alerts.model import Signal
from streams.alerts.text import percent
from streams.alerts.thresholds import Thresholds
from streams.detect.srm import MIN_USERS, mismatch

DAY_S: Final = 86_400
STRANGE: Final = 0.01  # of the users in arms that nobody planned: then no chance is needed to tell
CERTAIN: Final = 300.0  # -log10 p of what cannot be chance

Plans = Mapping[str, Mapping[str, float]]  # by experiment: the weights of its arms, of any scale


class UserStore(Protocol):
    """Where they come from. Blocks; raises `Unavailable`."""

    def users(self, first: int, last: int, experiments: Sequence[str]) -> Sequence[ArmUsers]:
        """Distinct users by arm over the windows from first to last (epoch seconds, both inside)."""
        ...


class Experiments:
    """The source of these signals."""

    def __init__(self, store: UserStore, thresholds: Thresholds, plans: Plans) -> None:
        self._store = store
        self._plans = plans
        self._thresholds = thresholds

    def load(self, first: int, last: int) -> "ExperimentSignals":
        """As SignalSource says. A day of users that cannot be counted in time says nothing; it keeps no other alert."""
        definition = self._thresholds.of(SAMPLE_RATIO_MISMATCH)
        users = read_due(definition, first, last, self._read) if self._plans and definition else {}
        return ExperimentSignals(users, self._plans, self._thresholds)

    def _read(self, window: int) -> Sequence[ArmUsers]:
        return self._store.users(window + WINDOW_S - DAY_S, window, sorted(self._plans))


class ExperimentSignals:
    """Implements `Signals`. users: of the windows at which they are looked at."""

    def __init__(self, users: Mapping[int, Sequence[ArmUsers]], plans: Plans, thresholds: Thresholds) -> None:
        self._users = users
        self._plans = plans
        self._definition = thresholds.of(SAMPLE_RATIO_MISMATCH)

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says."""
        seen: dict[str, dict[str, int]] = defaultdict(dict)
        for each in self._users.get(window, ()):
            seen[each.experiment][each.arm] = each.users
        for experiment, plan in self._plans.items():
            if signal := self._signal(experiment, plan, seen.get(experiment, {})):
                yield signal

    def _signal(self, experiment: str, plan: Mapping[str, float], users: Mapping[str, int]) -> Signal | None:
        definition = self._definition
        if definition is None:
            return None
        total = sum(users.values())
        planned = {arm: count for arm, count in users.items() if arm in plan}
        strange = total - sum(planned.values())
        least = min(definition.min_total, MIN_USERS)
        found = mismatch(planned, plan, max_p=math.inf, min_users=least)
        if not total or (found is None and strange < STRANGE * total):
            return None
        p = found.p if found and strange < STRANGE * total else 0.0
        value = min(-math.log10(p), CERTAIN) if p else CERTAIN
        text = {"arms": _arms(users, plan), "value": f"{p:.1g}"}
        return Signal(definition, {"experiment": experiment}, total=total, value=value, text=text)


def _arms(users: Mapping[str, int], plan: Mapping[str, float]) -> str:
    total, weights = sum(users.values()) or 1, sum(plan.values())
    told = [
        f"{arm} {percent(users.get(arm, 0) / total)} (planned {percent(weight / weights)})"
        for arm, weight in plan.items()
    ]
    strange = sorted(set(users) - set(plan), key=lambda arm: (-users[arm], arm))
    told += [f"{arm or '(empty)'} {percent(users[arm] / total)} (nobody planned it)" for arm in strange]
    return ", ".join(told)
