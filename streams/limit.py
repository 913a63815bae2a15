"""The limit on dead letters: a few are a producer's bug, mostly dead letters are a wrong topic or a broken rollout."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.parts import DeadLetter


@dataclass(frozen=True, slots=True)
class DeadLetterPolicy:
    """Both must be exceeded within the window for the worker to stop."""

    max_share: float = 0.5  # of the records read
    max_count: int = 1_000
    window_ms: int = 60_000


class TooManyDeadLetters(Exception):  # noqa: N818
    """Names the commonest reason, field and component. Nothing that was not written may be committed after it."""

    def __init__(self, dead: int, total: int, policy: DeadLetterPolicy, common: tuple[str, str, str], n: int) -> None:
        self.reason, self.field, self.component = common
        super().__init__(
            f"{dead:,} of the last {total:,} records are dead letters, over the limit of {policy.max_count:,} and "
            f"{policy.max_share:.0%} in {policy.window_ms / 1000:g} s. Commonest ({n:,}): reason {self.reason}, field "
            f"{self.field}, component {self.component or 'unknown'}. Stopping; what was not written is not committed "
            f"and will be read again. Fix the producer, or let them through: RECTRACE_DEAD_LETTERS__MAX_COUNT and "
            f"RECTRACE_DEAD_LETTERS__MAX_SHARE."
        )


class DeadLetterLimit:
    """Counts records and dead letters in a sliding window."""

    STEPS = 12

    def __init__(self, policy: DeadLetterPolicy) -> None:
        self._policy = policy
        self._steps: deque[tuple[int, int, Counter[tuple[str, str, str]]]] = deque()  # (step, records, dead letters)

    def add(self, now: int, records: int, letters: Sequence[DeadLetter]) -> None:
        """Count; raise `TooManyDeadLetters` if that was too many."""
        step = now * self.STEPS // self._policy.window_ms
        if self._steps and self._steps[-1][0] >= step:
            last, before, causes = self._steps.pop()
            self._steps.append((last, before + records, causes))
        else:
            causes = Counter()
            self._steps.append((step, records, causes))
        while self._steps[0][0] <= step - self.STEPS:
            self._steps.popleft()
        if letters:
            causes.update((letter.reason, letter.field, letter.component) for letter in letters)
            self._check()

    def _check(self) -> None:
        total = sum(records for _, records, _ in self._steps)
        causes = sum((causes for _, _, causes in self._steps), Counter[tuple[str, str, str]]())
        dead = causes.total()
        if dead > self._policy.max_count and dead > self._policy.max_share * total:
            (common, n) = causes.most_common(1)[0]
            raise TooManyDeadLetters(dead, total, self._policy, common, n)
