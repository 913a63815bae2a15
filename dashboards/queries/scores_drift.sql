-- The alert ScoreDrift (streams/detect/drift.py and histogram.py): the population stability index over bins of equal
-- shares of the day before, of the half hour that ends with the time shown.
SELECT
    component,
    placement,
    m AS "requests",
    n AS "before",
    sum_now / nullIf(scored_now, 0) AS "mean",
    sum_before / nullIf(scored_before, 0) AS "mean before",
    sqrt(greatest(squares_now / nullIf(scored_now, 0) - pow("mean", 2), 0)) AS "sd",
    1 - distinct_now / nullIf(scored_now, 0) AS "ties",
    1 - scored_now / nullIf(candidates_now, 0) AS "no score",
    arrayStringConcat(
        arrayFilter(
            v -> v != '' AND versions_now[v] / m - versions_before[v] / greatest(n, 1) >= {new_version}, mapKeys(versions_now)
        ),
        ', '
    ) AS "new version",
    if(n = 0, NULL, psi) AS "PSI",
    if(n = 0, NULL, allowed) AS "allowed",
    multiIf(
        least(m, n) < {min_total}, 'too few requests',
        dateDiff('second', since, split) < {least_before}, 'too little before',
        psi > allowed, 'drifted',
        'as before'
    ) AS "verdict",
    'scoring' AS "stage"
FROM
(
    SELECT
        *,
        arrayFilter(b -> was[b] > 0, mapKeys(was)) AS known,
        arrayCumSum(b -> was[b], known) AS upto,
        arrayFilter(r -> r > 0, arrayMap(b -> intDiv(upto[-1] * b, {bins}), range(1, {bins}))) AS ranks,
        arrayDistinct(arrayFilter(
            b -> b != known[-1], arrayMap(r -> known[arrayFirstIndex(u -> u >= r, upto)], ranks)
        )) AS cuts,
        arraySort(arrayDistinct(if(
            length(cuts) < {bins} - 1, arrayConcat(cuts, [(known[1] - 1)::Int32, known[-1]]), cuts
        ))) AS inner,
        length(inner) + 1 AS bins,
        arrayMap(b -> arraySum((k, c) -> if({inside}, c, 0), mapKeys(was), mapValues(was)), range(1, bins + 1)) AS ps,
        arrayMap(b -> arraySum((k, c) -> if({inside}, c, 0), mapKeys(has), mapValues(has)), range(1, bins + 1)) AS qs,
        arrayMap(c -> (c + 0.5) / (arraySum(ps) + 0.5 * bins), ps) AS p,
        arrayMap(c -> (c + 0.5) / (arraySum(qs) + 0.5 * bins), qs) AS q,
        arraySum((p, q) -> (p - q) * log(p / q), p, q) AS psi,
        1 / n + 1 / m AS scale,
        greatest({least}, (bins - 1) * scale + {z} * sqrt(2 * (bins - 1)) * scale) AS allowed
    FROM
    (
        SELECT
            component,
            placement,
            $__toTime - {now} AS split,
            minIf(window, NOT is_now) AS since,
            mapSort(sumMapIf(s.buckets, NOT is_now)) AS was,
            mapSort(sumMapIf(s.buckets, is_now)) AS has,
            sumIf(s.requests, NOT is_now) AS n,
            sumIf(s.requests, is_now) AS m,
            sumMapIf(map(version::String, s.requests), is_now) AS versions_now,
            sumMapIf(map(version::String, s.requests), NOT is_now) AS versions_before,
            sumIf(candidates, is_now) AS candidates_now,
            sumIf(scored, is_now) AS scored_now,
            sumIf(scored, NOT is_now) AS scored_before,
            sumIf(distinct, is_now) AS distinct_now,
            sumIf(score_sum, is_now) AS sum_now,
            sumIf(score_sum, NOT is_now) AS sum_before,
            sumIf(square_sum, is_now) AS squares_now
        FROM (SELECT *, window >= $__toTime - {now} AS is_now FROM score_metrics) AS s
        WHERE window >= $__toTime - {now} - {before} AND window <= $__toTime AND spread IN ('varied', 'single')
            AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
            AND $__conditionalAll(component IN (${scorer:singlequote}), $scorer)
        GROUP BY component, placement
        HAVING m > 0
    )
)
ORDER BY "verdict" = 'drifted' DESC, component, placement
LIMIT 500
