"""What topics must be like before a worker starts."""

import pytest

from streams.preflight import BadTopics, check_topics

COUNTS = {"a": 4, "b": 4, "c": 3}


def test_equal_stages_topics_and_any_others_are_well() -> None:
    check_topics("broker:1", COUNTS, ["a", "b"], ["c"])


def test_missing_topics_are_all_named() -> None:
    with pytest.raises(BadTopics, match="broker:1 has no topic x, y: create what is missing with `rectrace topics`"):
        check_topics("broker:1", COUNTS, ["a", "x"], ["y"])


def test_unequal_counts_are_named() -> None:
    with pytest.raises(BadTopics, match="a has 4, c has 3"):
        check_topics("broker:1", COUNTS, ["a", "c"], [])
