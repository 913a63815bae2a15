-- Candidates that each component takes and lets through, in pipeline order, within a stage the one with most first; in a
-- period and in as long a time some while before it.
SELECT
    stage::String AS stage_name,
    component::String AS name,
    sumIf(n, is_now) AS calls,
    sumIf(n, NOT is_now) AS calls_before,
    sumIf(m.n_in, is_now) AS taken,
    sumIf(m.n_in, NOT is_now) AS taken_before,
    sumIf(m.n_out, is_now) AS passed,
    sumIf(m.n_out, NOT is_now) AS passed_before,
    sumIf(m.failed, is_now) AS failures,
    sumIf(m.failed, NOT is_now) AS failures_before
FROM (SELECT *, window >= {since:DateTime('UTC')} AS is_now FROM $database.stage_metrics) AS m
WHERE stage != 'request' AND ({placement:String} = '' OR placement = {placement:String}) AND
(
    (window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')})
    OR (window >= {earlier:DateTime('UTC')} AND window < {earlier_until:DateTime('UTC')})
)
GROUP BY stage_name, name
ORDER BY indexOf($stages, stage_name), (taken + taken_before) / (calls + calls_before) DESC, name
