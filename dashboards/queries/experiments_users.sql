-- Distinct users by arm against the planned split: chi-square, as the alert SampleRatioMismatch has it (streams/detect/srm.py).
-- An experiment without a plan is taken to have arms of equal weight. Arms that nobody planned are no part of chi-square.
SELECT
    experiment,
    each.1 AS arm,
    each.2 AS "users",
    "users" / everybody AS "share",
    each.3 / weights AS "planned",
    if(assumed, 'equal arms, assumed', 'as planned') AS "plan",
    if(enough, chi, NULL) AS "chi-square",
    multiIf(everybody >= {min_users} AND strange, {certain}, enough, least(-log10(p), {certain}), NULL) AS "-log10 p",
    multiIf("-log10 p" IS NULL, 'too few users', "-log10 p" > {threshold}, 'mismatch', 'fits') AS "verdict",
    concat('experiment.', experiment, '=', arm) AS "segment"
FROM
(
    SELECT
        *,
        arrayMap(a -> total * split[a] / weights, arms) AS expected,
        total >= {min_users} AND length(arms) > 1 AND arrayMin(expected) >= {min_expected} AS enough,
        arraySum((a, e) -> pow(seen[a] - e, 2) / e, arms, expected) AS chi,
        toUInt32(greatest(length(arms), 2)) - 1 AS freedom,
        {p} AS p
    FROM
    (
        SELECT
            experiment,
            mapFromArrays(groupArray(arm), groupArray(n))::Map(String, Float64) AS seen,
            JSONExtract(${planned:singlequote}, 'Map(String, Map(String, Float64))')[experiment] AS given,
            empty(given) AS assumed,
            if(assumed, mapApply((a, n) -> (a, 1.), seen), given) AS split,
            arrayFilter(a -> split[a] > 0, mapKeys(split)) AS arms,
            arraySum(mapValues(split)) AS weights,
            sum(n) AS everybody,
            arraySum(a -> seen[a], arms) AS total,
            everybody - total >= {strange} * everybody AS strange
        FROM
        (
            SELECT experiment, toString(arm) AS arm, uniqExact(user_id) AS n
            FROM traces
            ARRAY JOIN mapKeys(experiments) AS experiment, mapValues(experiments) AS arm
            WHERE $__timeFilter(window) AND user_id != ''
                AND $__conditionalAll(experiment IN (${experiment:singlequote}), $experiment)
            GROUP BY experiment, arm
        )
        GROUP BY experiment
    )
)
ARRAY JOIN
    arrayMap(a -> (a, seen[a]::UInt64, split[a]), arraySort(arrayDistinct(arrayConcat(mapKeys(seen), mapKeys(split))))) AS each
ORDER BY experiment, arm
LIMIT 500
