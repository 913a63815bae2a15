-- Candidates and how many of them were served, by $by (segment, or placement of the totals).
SELECT
    $by AS element, window >= {since:DateTime('UTC')} AS is_now,
    sum(n) AS candidacies, sumIf(n, fate = 'served') AS chosen
FROM $database.item_outcomes
WHERE $both AND ({placement:String} = '' OR placement = {placement:String}) AND $only
GROUP BY element, is_now
ORDER BY element, is_now
