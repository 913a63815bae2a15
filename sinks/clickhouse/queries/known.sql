-- What requests of a period can be asked by. Of each kind a bounded number.
SELECT kind, value
FROM
(
    SELECT DISTINCT 'placement' AS kind, placement::String AS value FROM $database.segment_metrics
    WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    UNION ALL
    SELECT DISTINCT
        if(startsWith(segment, 'experiment.'), 'arm', 'segment'),
        if(startsWith(segment, 'experiment.'), substring(segment, 12), segment::String)
    FROM $database.segment_metrics
    WHERE segment != '' AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    UNION ALL
    SELECT DISTINCT 'version', concat(component, '=', version) FROM $database.stage_metrics
    WHERE version != '' AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    UNION ALL
    SELECT DISTINCT 'rule', rule::String FROM $database.rule_hits
    WHERE hit > 0 AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
)
ORDER BY kind, value
LIMIT 500 BY kind
