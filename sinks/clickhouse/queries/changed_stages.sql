-- What each version of each component did, at each placement, now and in the time to compare with.
SELECT
    placement, stage, component, version, window >= {since:DateTime('UTC')} AS is_now,
    sum(n) AS events, sum(failed) AS failed, sum(fallbacks) AS fallbacks, sum(n_in) AS n_in, sum(n_out) AS n_out,
    sum(zero_out) AS zero_out, sum(duration_sum) AS duration
FROM $database.stage_metrics
WHERE $both AND ({placement:String} = '' OR placement = {placement:String})
GROUP BY placement, stage, component, version, is_now
ORDER BY placement, stage, component, version, is_now
