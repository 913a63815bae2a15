"""Two answers to the same question, side by side: what only one of them has, and what moved. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.rules.pressure import rbo


@dataclass(frozen=True)
class Difference:
    """Of a left and a right list of items. moves: places that an item of both stands higher (or, below 0, lower) in the
    right one."""

    only_left: list[str]
    only_right: list[str]
    moves: dict[str, int]
    overlap: float | None  # RBO, p = 0.9, 0 to 1; None: both are empty

    def sentence(self) -> str:
        """In words."""
        if self.overlap is None:
            return "Both are empty."
        moved = sum(move != 0 for move in self.moves.values())
        if not (self.only_left or self.only_right or moved):
            return "Both are the same."
        return (
            f"{len(self.moves)} items in both, {moved} of them at another place; {len(self.only_left)} only left, "
            f"{len(self.only_right)} only right. Overlap {self.overlap:.2f}: RBO, 1 where both are the same, 0 where "
            "they have nothing in common, the first places count most."
        )


def compare(left: Sequence[str], right: Sequence[str]) -> Difference:
    """Of an item that is there twice the first place counts."""
    places = {item: place for place, item in reversed([*enumerate(right)])}
    moves = {item: place - places[item] for place, item in reversed([*enumerate(left)]) if item in places}
    shorter, longer = sorted((left, right), key=len)
    return Difference(
        only_left=[item for item in dict.fromkeys(left) if item not in places],
        only_right=[item for item in dict.fromkeys(right) if item not in moves],
        moves=moves,
        overlap=rbo(shorter, longer) if longer else None,
    )
