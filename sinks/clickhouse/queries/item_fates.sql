-- How an item's candidacies ended within [since, until), unsampled, and within as long a time before.
SELECT
    fate, stage, component, reason,
    sumIf(n, window >= {since:DateTime('UTC')}) AS now,
    sumIf(n, window < {since:DateTime('UTC')}) AS before,
    sumIf(rank_sum, window >= {since:DateTime('UTC')}) / nullIf(sumIf(scored, window >= {since:DateTime('UTC')}), 0) AS mean_rank,
    sumIf(score_sum, window >= {since:DateTime('UTC')}) / nullIf(sumIf(scored, window >= {since:DateTime('UTC')}), 0) AS mean_score,
    if(fate = 'served', sumIf(position_sum, window >= {since:DateTime('UTC')}) / nullIf(now, 0), NULL) AS mean_position,
    arraySlice(groupUniqArrayIf(3)(example, window >= {since:DateTime('UTC')}), 1, 3) AS examples
FROM $database.item_outcomes
WHERE item = {item:String} AND segment = {segment:String} AND window >= {before:DateTime('UTC')}
    AND window < {until:DateTime('UTC')} AND ({placement:String} = '' OR placement = {placement:String})
GROUP BY fate, stage, component, reason
ORDER BY now DESC, before DESC, fate, stage, component, reason
