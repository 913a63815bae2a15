"""The recording rules: what several alerts and panels read, computed once.

A worker that no longer seals keeps its last values of what only the sealing one sets, and one that has just started
says 0: so the highest of all counts, over ten minutes, so that workers that stop and start do not hide it.
"""

from typing import Final

from dashboards.prometheus.model import Deployment, Recording

JOB: Final = "rectrace"  # job_name of the scrape configuration
OF_JOB: Final = f'job="{JOB}"'


def recordings(deployment: Deployment) -> tuple[Recording, ...]:
    """All of them, in the order in which they are evaluated."""
    open_bound, unwritten_bound = deployment.memory // 2, deployment.memory * 3 // 8  # as streams/pipeline.py has them
    return (
        Recording(
            "rectrace:workers_up:sum",
            f"sum(up{{{OF_JOB}}}) or vector(0)",
            "workers that answered the last scrape",
        ),
        Recording(
            "rectrace:sealing:sum",
            f"sum(rectrace_sealing{{{OF_JOB}}}) or vector(0)",
            "workers that seal: one, but for moments of a rebalance",
        ),
        Recording(
            "rectrace:sealed_until_seconds:max",
            f"max(max_over_time(rectrace_sealed_until_seconds{{{OF_JOB}}}[10m]))",
            "end of the newest window sealed, Unix time; 0: none since the workers started",
        ),
        Recording(
            "rectrace:alerts_evaluated_until_seconds:max",
            f"max(max_over_time(rectrace_alerts_evaluated_until_seconds{{{OF_JOB}}}[10m]))",
            "end of the newest window that alerts were evaluated for, Unix time; 0: none since the workers started",
        ),
        Recording(
            "rectrace:lag_records:sum",
            f"sum(max by (topic, partition) (rectrace_lag_records{{{OF_JOB}}}))",
            "records in the broker not read yet",
        ),
        Recording(
            "rectrace:ingest_freshness_seconds:max",
            f"max by (topic, partition) (rectrace_ingest_freshness_seconds{{{OF_JOB}}})",
            "now minus the time below which everything of a partition has landed",
        ),
        Recording(
            "rectrace:records_consumed:rate2m",
            f"sum by (instance) (rate(rectrace_records_consumed_total{{{OF_JOB}}}[2m]))",
            "records a second that a worker reads",
        ),
        Recording(
            "rectrace:dead_letters:rate2m",
            f"sum by (instance) (rate(rectrace_dead_letters_total{{{OF_JOB}}}[2m]))",
            "dead letters a second of a worker",
        ),
        Recording(
            "rectrace:held_bytes:ratio",
            f'max by (instance, state) (rectrace_held_bytes{{{OF_JOB},state="open"}}) / {open_bound}\n'
            f'or max by (instance, state) (rectrace_held_bytes{{{OF_JOB},state="unwritten"}}) / {unwritten_bound}',
            "memory of what a worker holds / where it closes requests early (open) or stops reading (unwritten)",
        ),
    )
