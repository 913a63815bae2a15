"""What changes while the demo runs: stock, and what each user has bought."""

from collections.abc import Sequence

import numpy as np

from rectrace.demo.arrays import Ints
from rectrace.demo.stock import Stock


class Shop:
    """The mutable state of the demo."""

    def __init__(self, stock: Stock, bought: Sequence[Ints]) -> None:
        self.stock = stock
        self.bought = list(bought)

    def buy(self, user: int, item: int, country: int, now: float) -> bool:
        """The user has the garment now; True if it was the last one in the country."""
        if item not in self.bought[user]:
            self.bought[user] = np.append(self.bought[user], item)
        return self.stock.sell(item, country, now)
