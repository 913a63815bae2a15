"""Where the alerts about rectrace itself fire; panels that show a threshold take it from here."""

from typing import Final

from streams.limit import DeadLetterPolicy

ANSWERING: Final = 1  # workers
WORKER_ANSWERS: Final = 0.5  # share of its scrapes in ten minutes
SEALING: Final = 1  # workers
# Longer than RECTRACE_SEAL__PATIENCE: until then one partition alone may keep the seal waiting, and IngestLag says so.
SEAL_STALLED_S: Final = 330
ALERTS_STALLED_S: Final = 180  # a window that is not sealed in its turn is waited for 60 s
ALERT_FAILURES: Final = 3  # in ten minutes
NOTIFY_FAILURES: Final = 2  # in five minutes: while one does not answer it is asked about once a minute
LAG_S: Final = 30  # of reading, at the present speed
LAG_RECORDS: Final = 1_000
FRESHNESS_S: Final = 120
INSERT_FAILURES: Final = 5  # in ten minutes
COMMIT_FAILURES: Final = 5  # in ten minutes
HELD: Final = 0.85  # of the bound
PAUSED: Final = 0.5  # of ten minutes
# Half of what stops a worker: of its records, and a minute.
DEAD_LETTER_SHARE: Final = DeadLetterPolicy().max_share / 2
DEAD_LETTERS_A_MINUTE: Final = DeadLetterPolicy().max_count * 30_000 // DeadLetterPolicy().window_ms
