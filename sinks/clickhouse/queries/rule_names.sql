-- What rules can be about, with some values: what the catalogue and the requests of [since, until) say. Of each a bounded
-- number is looked at.
SELECT kind, name, groupUniqArray(6)(value) AS examples
FROM
(
    SELECT 'attributes' AS kind, name, value
    FROM (SELECT attributes FROM $database.catalog WHERE NOT deleted LIMIT 5000)
    ARRAY JOIN mapKeys(attributes) AS name, mapValues(attributes) AS value
    UNION ALL
    SELECT 'item', pair.1, pair.2
    FROM (SELECT brand, category FROM $database.catalog WHERE NOT deleted LIMIT 5000)
    ARRAY JOIN [('brand', brand::String), ('category', category::String)] AS pair
    UNION ALL
    SELECT
        multiIf(segment = '', 'request', startsWith(segment, 'experiment.'), 'experiments', 'segments'),
        multiIf(
            segment = '', 'placement',
            startsWith(segment, 'experiment.'), substring(segment, 12, position(segment, '=') - 12),
            substring(segment, 1, position(segment, '=') - 1)
        ),
        if(segment = '', placement::String, substring(segment, position(segment, '=') + 1))
    FROM
    (
        SELECT DISTINCT segment::String AS segment, placement
        FROM $database.segment_metrics
        WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
        LIMIT 5000
    )
    UNION ALL
    SELECT 'context', told.1, trim(BOTH '"' FROM told.2)
    FROM
    (
        SELECT context FROM $database.traces
        WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')} AND context != ''
        LIMIT 500
    )
    ARRAY JOIN JSONExtractKeysAndValuesRaw(context) AS told
)
WHERE name != '' AND value != '' AND length(value) <= 100
GROUP BY kind, name
ORDER BY kind, name
LIMIT 300
