"""Sample ratio mismatch: an experiment whose arms have not the users planned for them (Fabijan et al. 2019)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from streams.detect.tails import chi_square_tail

MAX_P: Final = 1e-4  # it is looked at again and again: at the usual 0.05 a sound experiment fails sooner or later
MIN_USERS: Final = 1_000
MIN_EXPECTED: Final = 5.0  # of an arm, for chi-square to hold


class Mismatch(NamedTuple):
    """chi_square and its p; shares of the arms, planned and seen."""

    p: float
    chi_square: float
    planned: dict[str, float]
    seen: dict[str, float]


def mismatch(
    users: Mapping[str, float],
    planned: Mapping[str, float],
    *,
    max_p: float = MAX_P,
    min_users: float = MIN_USERS,
) -> Mismatch | None:
    """Users by arm against the planned weights, of any scale. None where they fit, or are too few to tell.

    sum_arm (seen - expected)^2 / expected, arms - 1 degrees of freedom. Users, not requests: those of one user are not
    independent. ValueError for an arm that nobody planned, for fewer than two arms or a weight that is not above 0.
    """
    if unknown := sorted(set(users) - set(planned)):
        raise ValueError(f"arms that are not planned: {', '.join(unknown)}")
    if len(planned) < 2 or min(planned.values()) <= 0:
        raise ValueError("an experiment needs two arms or more, each with a weight above 0")
    total, weights = sum(users.values()), sum(planned.values())
    expected = {arm: total * weight / weights for arm, weight in planned.items()}
    if total < min_users or min(expected.values()) < MIN_EXPECTED:
        return None
    chi_square = sum((users.get(arm, 0.0) - count) ** 2 / count for arm, count in expected.items())
    p = chi_square_tail(chi_square, len(planned) - 1)
    if p >= max_p:
        return None
    shares = {arm: weight / weights for arm, weight in planned.items()}
    return Mismatch(p, chi_square, shares, {arm: users.get(arm, 0.0) / total for arm in planned})
