"""What is killed, frozen or away, and on which broker."""

from tests.kills import deaths, outages
from tests.kills.side_by_side import Schedule

TANSU: tuple[Schedule, ...] = (
    outages.late_after_the_seal,
    deaths.killed_during_a_seal,
    outages.nobody_reads_a_partition,
    outages.broker_lost,
    deaths.two_workers_in_turn,
    deaths.frozen_sealer_comes_back,
    deaths.frozen_worker_comes_back,
    deaths.only_worker_killed,
    deaths.killed_between_landing_and_commit,
    deaths.several_topics_one_idle,
    outages.clickhouse_away,
    outages.memory_stays_flat,
)
KAFKA: tuple[Schedule, ...] = (
    outages.broker_killed,
    outages.partition_added,
    outages.topic_deleted,
    outages.transaction_marker_at_the_end,
    deaths.two_workers_in_turn,
    deaths.frozen_worker_comes_back,
)
# What runs on Apache Kafka, too, need not run on both where it is to be short.
SHORT_TANSU: tuple[Schedule, ...] = tuple(each for each in TANSU if each not in KAFKA)
