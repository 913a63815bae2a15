-- Calls of each component at each placement: from {since} up to {usual_until} as the usual time, number 0, and from {first}
-- to {last} as the slot that is judged, number 1. Windows that lack a partition are left out. What failed put out nothing,
-- too, and is counted as that alone.
SELECT
    placement, stage, component,
    if(window < {usual_until:DateTime('UTC')}, 0, 1) AS number,
    toUnixTimestamp(min(window)),
    sum(calls), sum(failed), sum(zero_out), sum(scored), sum(degenerate)
FROM
(
    SELECT
        window, placement, stage, component,
        n AS calls, failed, greatest(zero_out - failed, 0) AS zero_out, 0 AS scored, 0 AS degenerate
    FROM $database.stage_metrics
    WHERE window BETWEEN {since:DateTime('UTC')} AND {last:DateTime('UTC')}
    UNION ALL
    SELECT
        window, placement, 'scoring', component, 0, 0, 0,
        if(spread = 'single', 0, requests), if(spread IN ('constant', 'none'), requests, 0)
    FROM $database.score_metrics
    WHERE window BETWEEN {since:DateTime('UTC')} AND {last:DateTime('UTC')}
)
WHERE (window < {usual_until:DateTime('UTC')} OR window >= {first:DateTime('UTC')}) AND window NOT IN
(
    SELECT window
    FROM $database.visible
    WHERE window BETWEEN {since:DateTime('UTC')} AND {last:DateTime('UTC')} AND incomplete
)
GROUP BY placement, stage, component, number
ORDER BY placement, stage, component, number
