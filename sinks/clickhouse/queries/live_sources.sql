-- Of some requests of one window, what each source brought and what of it was served. Only so much of a window is read as
-- has so many requests.
SELECT
    source,
    countDistinct(request_id) AS requests,
    countDistinct(request_id, item) AS retrieved,
    countDistinctIf((request_id, item), has(served, item)) AS in_list
FROM
(
    SELECT request_id, served, list.1 AS source, arrayJoin(list.2) AS item
    FROM
    (
        SELECT request_id, served, arrayJoin(arrayZip(
            arrayFilter((name, stage) -> stage = 'retrieval', stages.component, stages.stage),
            arrayFilter((found, stage) -> stage = 'retrieval', stages.items, stages.stage)
        )) AS list
        FROM $database.traces
        WHERE window = {window:DateTime('UTC')} AND ({placement:String} = '' OR placement = {placement:String})
        LIMIT {sample:UInt32}
    )
)
GROUP BY source
ORDER BY in_list DESC, source
