"""From builders to the JSON that Grafana loads: a file each, stable and sorted, committed in dashboards/rendered."""

import json
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.grafana import experiments, funnel, items, overview, pipeline, requests, rules, scores, segments
from schemas.documents import write as write_all

_DASHBOARDS: Final = (
    overview.dashboard,
    funnel.dashboard,
    segments.dashboard,
    experiments.dashboard,
    scores.dashboard,
    items.dashboard,
    requests.dashboard,
    rules.dashboard,
    pipeline.dashboard,
)


def documents() -> dict[str, dict[str, Any]]:
    """Every dashboard by its uid."""
    made = [json.loads(json.dumps(dashboard(), cls=JSONEncoder)) for dashboard in _DASHBOARDS]
    return {document["uid"]: document for document in made}


def write(folder: Path) -> list[Path]:
    """Write one file a dashboard, remove those of dashboards that are gone, and return the files."""
    return write_all(folder, {uid: text(document) for uid, document in documents().items()}, "rectrace-*.json")


def text(document: dict[str, Any]) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
