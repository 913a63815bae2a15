"""The peers, one module each. Each runs in a process of its own: `python -m benchmarks.contenders.MODULE JOB`."""

from dataclasses import dataclass
from typing import Any, Final

AIOKAFKA: Final = "aiokafka"
CONFLUENT: Final = "confluent"
FAUST: Final = "faust"
FAUST_TABLE: Final = "faust-table"
RECTRACE: Final = "rectrace"
LAND: Final = "rectrace-land"
SEAL: Final = "rectrace-seal"


@dataclass(frozen=True)
class Contender:
    """One line of the table."""

    name: str  # for --only
    label: str
    module: str
    bounded: bool = False  # so slow that a prefix of the topic has to do
    clickhouse: bool = False
    seals: bool = False
    rules: int = 0  # that judge what is sealed


_SEALS: Final[dict[str, Any]] = {"module": "rectrace_worker", "clickhouse": True, "seals": True}
CONTENDERS: Final = (
    Contender(AIOKAFKA, "aiokafka getmany + orjson, decode only", "aiokafka_orjson"),
    Contender(CONFLUENT, "confluent-kafka consume(5000) + orjson, decode only", "confluent_orjson"),
    Contender(FAUST, "plain Faust agent, decode only", "plain_faust", bounded=True),
    Contender(FAUST_TABLE, "plain Faust, join in a table", "plain_faust", bounded=True),
    Contender(RECTRACE, "rectrace, no sink", "rectrace_worker"),
    Contender(LAND, "rectrace, landing", "rectrace_worker", clickhouse=True),
    Contender(SEAL, "rectrace, landing and seal", **_SEALS),
    Contender("rectrace-10-rules", "the same, judged by 10 rules", rules=10, **_SEALS),
    Contender("rectrace-1000-rules", "the same, judged by 1,000 rules", rules=1_000, **_SEALS),
)
