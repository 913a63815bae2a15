-- Of histograms that add up: every score is known within 5 %, and told as the middle of its bucket.
SELECT time, concat(component, ' ', version, ' ', each.1) AS line, each.2 AS score
FROM
(
    SELECT
        $__timeInterval(window) AS time, component, version,
        mapSort(sumMap(s.buckets)) AS histogram, arrayCumSum(mapValues(histogram)) AS upto,
        arrayMap(
            q -> mapKeys(histogram)[arrayFirstIndex(n -> n >= q * upto[-1], upto)], [0.05, 0.5, 0.95]
        ) AS found
    FROM score_metrics AS s
    WHERE $__timeFilter(window) AND spread IN ('varied', 'single')
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
        AND $__conditionalAll(component IN (${scorer:singlequote}), $scorer)
    GROUP BY time, component, version
    HAVING notEmpty(histogram)
)
ARRAY JOIN arrayZip(['p5', 'p50', 'p95'], arrayMap(b -> sign(b) * pow({gamma}, abs(b) - {middle} - 0.5), found)) AS each
ORDER BY time, line
