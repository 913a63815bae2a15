INSERT INTO $database.item_outcomes_runs
SELECT
    {hour:DateTime('UTC')}, {run:UInt64}, {tail:UInt64},
    item, placement, segment, fate, stage, component, reason, dropped_earlier, sources,
    sum(n), sum(position_sum), sum(scored), sum(score_sum), min(score_min), max(score_max), sum(rank_sum), min(example),
    3600
FROM $database.item_outcomes
WHERE window >= {hour:DateTime('UTC')} AND window < {hour:DateTime('UTC')} + INTERVAL 1 HOUR
GROUP BY item, placement, segment, fate, stage, component, reason, dropped_earlier, sources
