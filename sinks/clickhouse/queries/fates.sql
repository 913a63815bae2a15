-- One row a candidate and request: how it ended. Reads merged traces ($traces: the columns of `traces`).
-- First that applies: served at a position; dropped, where an event of the highest attempt that mentions the item
-- states it (the first such statement in pipeline order); else gone between the last event of that attempt that lists it
-- and the next event that could have (not a parallel one; of the same attempt if there is one; with a list, or failed):
--   stage_failed  that next event says timeout or error
--   truncated     that next event's list was capped by its producer
--   cut           that next event is in a stage whose job is to take fewer
--   stage_missing an expected stage in between sent nothing
--   fallback      the response was served by fallback
--   no_response   there was no response
--   unexplained   none of these: both sides were whole and ok
-- Of several response events the last in pipeline order answers; the others are lists like any other.
$candidates
SELECT
    request_id, window, placement, segments, item,
    if(place < 2147483648, ('served', 'response', '', ''), endings[place % 8388608]) AS ending,
    ending.1 AS fate, ending.2 AS stage, ending.3 AS component, ending.4 AS reason,
    if(place < 2147483648, place, 0) AS position,
    position > 0 AND bitTest(who, 62) AS dropped_earlier,
    arrayFilter((name, i) -> bitTest(who, i - 1), all_sources, arrayEnumerate(all_sources)) AS sources,
    m.1 AS score,
    if(score IS NULL, 0, m.2 % 16777216)::UInt32 AS model_rank
FROM candidates
ARRAY JOIN items AS item, decisive AS place, mentioned_by AS who, modelled AS m
