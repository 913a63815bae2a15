-- Candidates are counted by hashes of what they are counted by, and the names are put in last: they are few, and the
-- candidates many. First by all segments of a request together, so that there are few rows to count in each of them.
INSERT INTO $database.item_outcomes_runs
WITH ($known) AS known
SELECT
    {window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64},
    item, ended.1, segment, ended.2, ended.3, ended.4, ended.5, dropped_earlier, JSONExtract(brought_by, 'Array(String)'),
    n, position_sum, scored, score_sum, score_min, score_max, rank_sum, example,
    10
FROM
(
    SELECT
        item, segment, outcome,
        JSONExtract(any(ending), 'Tuple(String, String, String, String, String)') AS ended,
        any(dropped_earlier) AS dropped_earlier, any(brought_by) AS brought_by,
        sum(n) AS n, sum(position_sum) AS position_sum, sum(scored) AS scored, sum(score_sum) AS score_sum,
        min(score_min) AS score_min, max(score_max) AS score_max, sum(rank_sum) AS rank_sum, min(example) AS example
    FROM
    (
        SELECT
            item, outcome, arrayJoin(JSONExtract(any(counted_in), 'Array(String)')) AS segment,
            any(ending) AS ending, any(dropped_earlier) AS dropped_earlier, any(brought_by) AS brought_by,
            count() AS n, sum(position) AS position_sum, count(score) AS scored, sum(ifNull(score, 0)) AS score_sum,
            min(score) AS score_min, max(score) AS score_max, sum(model_rank) AS rank_sum, min(request_id) AS example
        FROM
        (
            $candidates,
            labelled AS
            (
                SELECT
                    *,
                    toJSONString(segments)::LowCardinality(String) AS counted_in,
                    -- by place in `endings`, and one more for those that were served
                    arrayMap(
                        ending -> toJSONString((placement, ending.1, ending.2, ending.3, ending.4))::LowCardinality(String),
                        arrayPushBack(endings, ('served', 'response', '', ''))
                    ) AS labels,
                    arrayDistinct(mentioned_by) AS sets,
                    arrayMap(
                        who -> toJSONString(
                            arrayFilter((name, i) -> bitTest(who, i - 1), all_sources, arrayEnumerate(all_sources))
                        )::LowCardinality(String),
                        sets
                    ) AS set_names
                FROM candidates
            )
            SELECT
                request_id, item, counted_in,
                if(place < 2147483648, labels[-1], labels[place % 8388608]) AS ending,
                if(place < 2147483648, place, 0) AS position,
                position > 0 AND bitTest(who, 62) AS dropped_earlier,
                set_names[indexOf(sets, who)] AS brought_by,
                m.1 AS score,
                if(score IS NULL, 0, m.2 % 16777216)::UInt32 AS model_rank,
                cityHash64(ending, dropped_earlier, brought_by) AS outcome
            FROM labelled
            ARRAY JOIN items AS item, decisive AS place, mentioned_by AS who, modelled AS m
        )
        GROUP BY item, outcome, cityHash64(counted_in)
    )
    GROUP BY item, segment, outcome
)
