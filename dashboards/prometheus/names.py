"""The alerts that explain others, and how summaries name figures and workers (templates of Prometheus)."""

from typing import Final

DOWN: Final = "RectraceDown"
NOBODY_SEALS: Final = "RectraceNobodySeals"
CLICKHOUSE_AWAY: Final = "RectraceClickhouseAway"
DEAD_LETTERS: Final = "RectraceDeadLettersStop"
ALERTS_STALLED: Final = "RectraceAlertsStalled"

COUNT: Final = '{{ $value | printf "%.0f" }}'
SPAN: Final = "{{ $value | humanizeDuration }}"
SHARE: Final = "{{ $value | humanizePercentage }}"
WORKER: Final = "{{ $labels.instance }}"
