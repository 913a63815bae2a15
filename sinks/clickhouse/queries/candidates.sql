-- One row a request of $traces (the columns of `traces`), with arrays over its candidates, by id: what decides how each
-- ended (fates.sql says by what rules), who mentions it, and what the model says of it. Ends in the common table
-- expression `candidates`.
--
-- Candidates are mentioned hundreds of times a request, so they are worked on as arrays of numbers, one request at a
-- time: `ids` numbers the candidates from 1 in the order of their first mention, and sorting numbers that begin with
-- the id brings what decides to the front of each. No lambda takes an array of candidates along: it would be copied for
-- every element. Numbers are put together with 2^23 = 8388608, 2^24 = 16777216, 2^31 = 2147483648, 2^32 = 4294967296.
--   $order  the stages in pipeline order, by placement   $parallel, $cutting  kinds of stages
WITH
    traces AS
    (
        SELECT
            request_id, window, placement, segments, missing, responded, served_by,
            arrayMap(s -> (s.stage, s.component, s.attempt, s.status, s.truncated, s.has_items), stages) AS events,
            arraySort(arrayDistinct(arrayFilter(s -> s.stage = 'retrieval', stages).component)) AS all_sources,
            arrayMap(s -> if(s.stage = 'request', [], s.items), stages) AS lists,
            arrayMap(
                s -> if(
                    s.stage = 'scoring', arrayResize(s.scores, length(s.items), NULL), []::Array(Nullable(Float32))
                ),
                stages
            ) AS scores,
            -- (event, reason, items)
            arrayFlatten(arrayMap(
                (s, e) -> if(s.stage = 'request', [], arrayConcat(
                    arrayMap((reason, items) -> (e, reason, items), mapKeys(s.dropped), mapValues(s.dropped)),
                    arrayMap(a -> (e, a.rule_id, [a.item]), arrayFilter(a -> a.action = 'drop', s.adjustments))
                )),
                stages, arrayEnumerate(stages)
            )) AS drops
        FROM ($traces)
    ),
    laters AS
    (
        SELECT
            *,
            arrayMap(event -> indexOf($order, event.1), events) AS ranks,
            arrayMap(
                (event, e) -> arrayFilter(
                    n -> n > e
                        AND (events[n].6 OR events[n].4 IN ('timeout', 'error'))
                        AND NOT (events[n].1 = event.1 AND event.1 IN $parallel),
                    arrayEnumerate(events)
                ),
                events, arrayEnumerate(events)
            ) AS later,
            -- (stage, component) of what is missing; nobody knows the stage of a bare component
            arrayMap(
                (name, words) -> if(
                    has($stages, words[1]), [words[1], arrayStringConcat(arrayPopFront(words), '/')], ['', name]
                ),
                missing, arrayMap(name -> splitByChar('/', name), missing)
            ) AS gaps
        FROM traces
    ),
    nexts AS
    (
        SELECT
            *,
            arrayMap(
                (event, l) -> if(
                    arrayExists(n -> events[n].3 = event.3, l), arrayFirst(n -> events[n].3 = event.3, l), l[1]
                ),
                events, later
            ) AS next
        FROM laters
    ),
    endings AS
    (
        SELECT
            *,
            arrayMap(
                (n, rank) -> arrayFirst(
                    gap -> multiIf(
                        gap[1] = '', ranks[n] - rank > 1,
                        indexOf($order, gap[1]) IN (rank, ranks[n]), gap[1] NOT IN $parallel,
                        indexOf($order, gap[1]) BETWEEN rank AND ranks[n]
                    ),
                    gaps
                ),
                next, ranks
            ) AS between,
            -- (fate, stage, component, reason), and what decides first within an attempt comes first: the stated drops,
            -- then the lists from the last to the first
            arrayConcat(
                arrayMap(d -> ('dropped', events[d.1].1, events[d.1].2, d.2), drops),
                arrayReverse(arrayMap(
                    (n, gap) -> multiIf(
                        n = 0, ('no_response', 'response', '', ''),
                        events[n].4 IN ('timeout', 'error'), ('stage_failed', events[n].1, events[n].2, events[n].4),
                        events[n].5, ('truncated', events[n].1, events[n].2, ''),
                        events[n].1 IN $cutting, ('cut', events[n].1, events[n].2, ''),
                        notEmpty(gap), ('stage_missing', gap[1], gap[2], ''),
                        served_by = 'fallback', ('fallback', events[n].1, events[n].2, ''),
                        NOT responded, ('no_response', 'response', '', ''),
                        ('unexplained', events[n].1, events[n].2, '')
                    ),
                    next, between
                ))
            )::Array(Tuple(
                LowCardinality(String), LowCardinality(String), LowCardinality(String), LowCardinality(String)
            )) AS endings
        FROM nexts
    ),
    -- Arrays over all mentions of candidates: those in lists, then those in drops.
    named AS
    (
        SELECT
            *,
            arrayFlatten(drops.3) AS dropped,
            arrayConcat(arrayFlatten(lists), dropped) AS names,
            arrayLastIndex(event -> event.1 = 'response', events) AS answer,
            -- which mention decides, the lowest first, of lists and drops: (2^31, attempt, place in `endings`)
            arrayConcat(
                arrayMap(
                    (event, e) -> 2147483649 + (255 - event.3) * 8388608 + length(drops) + length(events) - e,
                    events, arrayEnumerate(events)
                ),
                arrayMap((d, i) -> 2147483648 + (255 - events[d.1].3) * 8388608 + i, drops, arrayEnumerate(drops))
            )::Array(UInt32) AS places,
            arraySort(
                e -> (-events[e].3, -e), arrayFilter((e, event) -> event.1 = 'scoring', arrayEnumerate(events), events)
            ) AS scorers
        FROM endings
    ),
    mentions AS
    (
        SELECT
            *,
            arrayEnumerateDense(names) AS ids,
            arrayDistinct(names) AS items,
            -- the same by mention; of the list that was served the rank
            arrayFlatten(arrayMap(
                (items, place, e) -> if(e = answer, arrayEnumerate(items), arrayWithConstant(length(items), place)),
                arrayConcat(lists, drops.3), places, arrayEnumerate(places)
            )) AS precedence,
            -- who mentions: the number of a source, 62 a drop, 63 anyone else
            arrayConcat(
                arrayFlatten(arrayMap(
                    (event, items) -> arrayWithConstant(
                        length(items),
                        if(event.1 = 'retrieval', least(indexOf(all_sources, event.2) - 1, 61), 63)::UInt8
                    ),
                    events, lists
                )),
                arrayWithConstant(length(dropped), 62::UInt8)
            ) AS mentioners,
            -- what the model says: (scoring event, the one that counts first; rank by its scores), and the score
            arrayConcat(
                arrayFlatten(arrayMap(
                    (items, scores, e) -> if(
                        empty(scores),
                        arrayWithConstant(length(items), 4294967295::UInt32),
                        arraySort(
                            (key, i) -> i,
                            arrayMap(
                                (s, rank) -> if(s IS NULL, 4294967295, indexOf(scorers, e) * 16777216 + rank)::UInt32,
                                arraySort(s -> (s IS NULL, -s), scores), arrayEnumerate(scores)
                            ),
                            arraySort((i, s) -> (s IS NULL, -s, i), arrayEnumerate(scores), scores)
                        )
                    ),
                    lists, scores, arrayEnumerate(lists)
                )),
                arrayWithConstant(length(dropped), 4294967295::UInt32)
            ) AS model,
            arrayConcat(
                arrayFlatten(arrayMap((items, scores) -> arrayResize(scores, length(items), NULL), lists, scores)),
                arrayWithConstant(length(dropped), NULL::Nullable(Float32))
            ) AS model_scores
        FROM named
    ),
    -- Arrays over the candidates, by id.
    candidates AS
    (
        SELECT
            *,
            arrayMap(
                key -> (key % 4294967296)::UInt32,
                arrayCompact(
                    key -> intDiv(key, 4294967296),
                    arraySort(arrayMap((id, place) -> id * 4294967296 + place, ids, precedence))
                )
            ) AS decisive,
            -- the set of mentioners as bits: running sums along the ids, of which the differences are the sets
            arraySort(arrayDistinct(arrayConcat(
                arrayMap((id, who) -> id * 64 + who, ids, mentioners), arrayMap(id -> id * 64 + 63, arrayDistinct(ids))
            ))) AS mentioned,
            arrayPopFront(arrayDifference(arrayPushFront(
                arrayFilter(
                    (sum, key) -> key % 64 = 63,
                    arrayCumSum(arrayMap(key -> if(key % 64 = 63, 0, bitShiftLeft(1::UInt64, key % 64)), mentioned)),
                    mentioned
                ),
                0
            ))) AS mentioned_by,
            arrayMap((id, m) -> id * 4294967296 + m, ids, model) AS keys,
            arraySort(keys) AS sorted,
            arrayFilter(
                (m, key, before) -> intDiv(key, 4294967296) != intDiv(before, 4294967296),
                arraySort((m, key) -> key, arrayZip(model_scores, keys), keys), sorted, arrayPopBack(arrayPushFront(sorted, 0))
            ) AS modelled
        FROM mentions
    )
