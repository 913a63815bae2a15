-- How many sealed requests are chosen as bad, and how many are the rest.
SELECT countIf(bad) AS bad_ones, count() - bad_ones AS rest
FROM
(
    SELECT $bad AS bad
    FROM $database.traces_runs
    WHERE $visible AND ({placement:String} = '' OR placement = {placement:String}) AND $condition
)
