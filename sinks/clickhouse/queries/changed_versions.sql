-- In which segments and experiment arms the requests of a component's version are, of the sampled windows' requests with
-- the component.
SELECT
    pair AS element, count() AS requests, countIf(has(versions, {version:String})) AS affected
FROM
(
    SELECT
        arrayMap((c, v) -> if(c = {component:String}, v, NULL), stages.component, stages.version) AS versions,
        arrayConcat(
            arrayMap((name, value) -> concat(name, '=', value), mapKeys(segments), mapValues(segments)),
            arrayMap((name, arm) -> concat('experiment.', name, '=', arm), mapKeys(experiments), mapValues(experiments))
        ) AS pairs
    FROM $database.traces_runs
    WHERE $visible AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
        AND ({placement:String} = '' OR placement = {placement:String})
        AND has(stages.component, {component:String}) AND $sampled
)
ARRAY JOIN arrayConcat([''], pairs) AS pair
GROUP BY element
ORDER BY affected DESC, element
LIMIT 1000
