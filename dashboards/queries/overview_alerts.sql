-- What is pending or fires after the newest window that was evaluated, whatever time is shown.
SELECT
    JSONExtractString(state, 'severity') AS severity,
    JSONExtractString(state, 'alert') AS alert,
    JSONExtractString(state, 'status') AS status,
    toDateTime(JSONExtractInt(state, 'began'), 'UTC') AS since,
    JSONExtractString(state, 'labels', 'placement') AS placement,
    JSONExtractString(state, 'labels', 'stage') AS stage,
    JSONExtractString(state, 'labels', 'component') AS component,
    JSONExtractString(state, 'labels', 'segment') AS segment,
    concat(
        JSONExtractString(state, 'annotations', 'summary'),
        if(JSONExtractString(state, 'changed') = '', '', concat(' Changed: ', JSONExtractString(state, 'changed'), '.'))
    ) AS summary,
    JSONExtract(state, 'examples', 'Array(String)')[1] AS example
FROM
(
    SELECT arrayJoin(states) AS state
    FROM
    (
        SELECT chain, states
        FROM alert_evaluations
        WHERE (chain, window) IN (SELECT chain, max(window) FROM alert_evaluations GROUP BY chain)
        ORDER BY chain, window, evaluated_at, tail
        LIMIT 1 BY chain
    )
)
WHERE $__conditionalAll(placement IN (${placement:singlequote}), $placement) OR placement = ''
ORDER BY status, indexOf(['page', 'ticket', 'info'], severity), since
