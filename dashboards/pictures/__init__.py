"""Pictures of dashboards without Grafana: its own components draw what the queries give, by the dashboards' JSON."""

from pathlib import Path
from typing import Final

from dashboards.grafana.parts import FUNNEL, ITEMS, OVERVIEW

FOLDER: Final = Path(__file__).parent
DRAWN: Final = (OVERVIEW, FUNNEL, ITEMS)


def picture(uid: str) -> Path:
    """Where the picture of a dashboard is."""
    return FOLDER / f"{uid}.png"
