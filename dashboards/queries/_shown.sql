-- Requests with what was shown of what they served, and what users did with it within an hour. Shown is what has an
-- impression; of a request that has none, every slot. Of about {sample} requests, whole windows evenly over the time, but
-- not of fewer than {windows} windows. Not through the view: it would read all of the stages for a part of them.
SELECT
    t.*,
    arrayFilter(
        (slot) -> empty(i.seen) OR has(i.seen, slot.1), arrayZip(t.served, arrayEnumerate(t.served))
    ) AS slots,
    i.clicked AS clicked, i.carted AS carted, i.bought AS bought, i.dismissed AS dismissed
FROM
(
    SELECT
        window, placement, request_id, served, segments, experiments, stages.stage AS stages, stages.component AS components,
        stages.version AS versions, stages.attempt AS attempts, stages.items AS lists, stages.scores AS scores
    FROM traces_runs AS traces
    WHERE $__timeFilter(window) AND (window, run, tail) IN
    (
        SELECT window, run, tail
        FROM visible
        WHERE $__timeFilter(window) AND intDiv(toUnixTimestamp(window), 10) %
        (
            SELECT greatest(least(intDiv(sum(requests), {sample}), intDiv(uniqExact(window), {windows})), 1)
            FROM segment_metrics
            WHERE $__timeFilter(window) AND segment = ''
                AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
        ) = 0
    )
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
        AND (${segment:singlequote} IN ('', 'all requests') OR has({named}, ${segment:singlequote}))
) AS t
LEFT JOIN
(
    SELECT
        request_id,
        groupUniqArrayIf(item, kind = 'impression') AS seen,
        groupUniqArrayIf(item, kind = 'click') AS clicked,
        groupUniqArrayIf(item, kind = 'cart') AS carted,
        groupUniqArrayIf(item, kind = 'purchase') AS bought,
        groupUniqArrayIf(item, kind = 'dismiss') AS dismissed
    FROM interactions
    WHERE ts >= $__fromTime AND ts <= $__toTime + INTERVAL 1 HOUR
    GROUP BY request_id
) AS i USING (request_id)
