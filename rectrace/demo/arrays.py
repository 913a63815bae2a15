"""Names for the numpy types that the demo's signatures use."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]


def top(values: Floats, limit: int) -> Ints:
    """Indices of the `limit` highest positive values, highest first; ties in index order."""
    positive = np.flatnonzero(values > 0)
    if len(positive) > limit:
        threshold = np.partition(values[positive], len(positive) - limit)[len(positive) - limit]
        positive = positive[values[positive] >= threshold]
    return positive[np.argsort(-values[positive], kind="stable")][:limit]
