"""The stages of a recommender, in pipeline order."""

from typing import Final, Literal, get_args

Stage = Literal[
    "request",
    "retrieval",
    "merging",
    "filtering",
    "scoring",
    "ordering",
    "reranking",
    "business_logic",
    "cutoff",
    "response",
]
Status = Literal["ok", "fallback", "timeout", "error"]

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
STAGE_RANK: Final[dict[str, int]] = {stage: rank for rank, stage in enumerate(STAGES)}

# Components of these stages work side by side on the same input; in every other stage they work one after the other.
PARALLEL_STAGES: Final = frozenset({"retrieval", "scoring"})
# Stages whose job is to take fewer than they get: an item that ends there without a stated reason was cut.
CUTTING_STAGES: Final = frozenset({"ordering", "reranking", "cutoff"})
