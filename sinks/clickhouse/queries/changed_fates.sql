-- How candidacies ended in one segment, at each placement, with what the model said of them; now and in the time to
-- compare with.
SELECT
    placement, fate, stage, component, reason, window >= {since:DateTime('UTC')} AS is_now,
    sum(n) AS candidacies, sum(scored) AS scored, sum(score_sum) AS score_sum,
    min(score_min) AS score_min, max(score_max) AS score_max, min(example) AS example
FROM $database.item_outcomes
WHERE $both AND segment = {segment:String} AND ({placement:String} = '' OR placement = {placement:String})
GROUP BY placement, fate, stage, component, reason, is_now
ORDER BY placement, fate, stage, component, reason, is_now
