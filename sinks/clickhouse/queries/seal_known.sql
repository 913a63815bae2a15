-- Per segment name the $cap commonest values of a run, as name=value: what keeps its own name. Ties go by value.
SELECT groupArray(concat(pair.1, '=', pair.2))
FROM
(
    SELECT pair
    FROM
    (
        SELECT arrayJoin($pairs) AS pair FROM ($traces)
    )
    GROUP BY pair
    ORDER BY count() DESC, pair
    LIMIT $cap BY pair.1
)
