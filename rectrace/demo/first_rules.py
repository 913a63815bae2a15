"""The rules that the demo begins with: the starter pack, and those of its merchandisers."""

from rectrace import producing, rule_book, rule_publishing
from rectrace.demo.business import standing_rules
from rectrace.demo.publisher import PublishError
from schemas.errors import Unavailable
from schemas.rules import Rule
from streams.cluster import Cluster


def first_rules() -> list[Rule]:
    """The rules themselves."""
    return [*rule_book.starter_pack().rules, *standing_rules()]


def put_in_force(kafka: str, topic: str) -> int:
    """Publish them; returns how many there are. kafka: host:port. Raises PublishError."""
    rules = first_rules()
    try:
        outcomes = producing.send(Cluster(kafka), rule_publishing.publishing(topic, rules, "rectrace demo", ""))
    except Unavailable as error:
        raise PublishError(str(error)) from None
    if problems := sorted({problem for problem in outcomes if problem}):
        raise PublishError(f"rules cannot be published to {topic}: {'; '.join(problems)}")
    return len(rules)
