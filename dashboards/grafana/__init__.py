"""Dashboards for Grafana, a file each. What people load into Grafana is rendered, and needs no SDK."""

from pathlib import Path
from typing import Final

TAG: Final = "rectrace"  # what has it is ours
COMMITTED: Final = Path(__file__).parents[1] / "rendered"
