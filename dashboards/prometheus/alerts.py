"""The alerts about rectrace itself: what the alert engine cannot say, because it would have to run to say it.

The engine's own IngestLag pages where it runs and nothing new lands. What pages here is that it does not run, or that
nobody hears it; the rest are tickets. Where one fault makes several fire, `causes` keeps all back but the first cause.
"""

from typing import Final

from dashboards.prometheus.sealing_alerts import SEALER
from dashboards.prometheus.worker_alerts import WORKERS

ALERTS: Final = (*WORKERS, *SEALER)
