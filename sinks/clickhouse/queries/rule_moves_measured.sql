-- One row a request: how far what was served is from the model's order, and what that cost by its scores. Ends in the
-- common table expression `measured`, which keeps the columns $kept. pressure: 0 unless judged.
--
-- The model is the last scoring component that gave scores; of what it scored more than once the highest attempt
-- counts, in it the best score. M is what it scored by descending score, ties in list order; L is the slate, K long.
--   RBO at depth K, of its maximum: (1 - p) / (1 - p^K) * sum over d = 1..K of p^(d-1) |M_1:d and L_1:d| / d, p = 0.9.
--   An item at place j of L and rank r of M is in the intersections from max(r, j) on, so it adds
--   weights(K) - weights(max(r, j) - 1), where weights(n) = sum over d = 1..n of p^(d-1) / d.
--   DCG: sum of gain / log2(place + 1), gain = score - min(0, the lowest of M), 0 of what was not scored, or served
--   before.
-- A table of 500 weights will do: those beyond add less than 1e-22.
$moves,
    models AS
    (
        SELECT
            *,
            arrayMap(
                s -> (s.component, s.attempt, s.truncated, s.items, arrayResize(s.scores, length(s.items), NULL)),
                arrayFilter(s -> s.stage = 'scoring', stages)
            )::Array(Tuple(
                component String, attempt UInt8, truncated Bool, items Array(String), scores Array(Nullable(Float64))
            )) AS scorings,
            arrayLast(s -> arrayExists(score -> ifNull(isFinite(score), false), s.scores), scorings).component AS model,
            arraySort(s -> -s.attempt::Int16, arrayFilter(s -> s.component = model, scorings)) AS of_model
        FROM moves
    ),
    scores AS
    (
        SELECT
            *,
            arrayFlatten(arrayMap(s -> arrayWithConstant(length(s.items), s.attempt), of_model)) AS attempts,
            arrayFlatten(of_model.items) AS names,
            arrayFlatten(of_model.scores) AS of_names,
            -- (-attempt, -score, place in the lists, item), what counts first
            arraySort(
                each -> (each.1, each.2, each.3),
                arrayFilter(
                    each -> ifNull(isFinite(each.2), false),
                    arrayMap(
                        (item, score, attempt, at) -> (-attempt::Int16, -score, at, item),
                        names, of_names, attempts, arrayEnumerate(names)
                    )
                )
            ) AS scored,
            arraySort(
                each -> (each.2, each.3),
                arrayFilter((each, time) -> time = 1, scored, arrayEnumerateUniq(scored.4))
            ) AS ranked,
            ranked.4 AS model_items,
            arrayMap(minus -> -assumeNotNull(minus), ranked.2) AS model_scores
        FROM models
    ),
    places AS
    (
        SELECT
            *,
            length(model_items) AS n_model,
            length(slate) AS slots,
            slots > 0 AND n_model > 0 AND NOT has(of_model.truncated, true) AS judged,
            arraySlice(arrayEnumerateDense(arrayConcat(model_items, slate)), n_model + 1) AS ranks,
            -- (rank, place) of what the model ranked, by rank: parallel to the scores of what was served
            arraySort(arrayFilter(
                (pair, time) -> time = 1 AND pair.1 <= n_model,
                arrayZip(ranks, arrayEnumerate(slate)), arrayEnumerateUniq(slate)
            )) AS found,
            arrayFilter(
                (score, time) -> time > 1,
                model_scores, arraySlice(arrayEnumerateUniq(arrayConcat(slate, model_items)), slots + 1)
            ) AS found_scores,
            least(0, arrayMin(model_scores)) AS lowest
        FROM scores
    ),
    measured AS
    (
        SELECT
            $kept, k, judged, slots, moves, conflicting, items, item_slots, takers,
            arrayPushFront(arrayCumSum(arrayMap(d -> pow(0.9, d - 1) / d, range(1, 501))), 0.) AS weights,
            arraySum(
                pair -> if(
                    greatest(pair.1, pair.2) > slots, 0.,
                    weights[least(slots, 500) + 1] - weights[least(greatest(pair.1, pair.2), 501)]
                ),
                found
            ) AS agreement,
            arraySum(
                (score, place) -> (score - lowest) / log2(place + 1),
                arraySlice(model_scores, 1, slots), arrayEnumerate(arraySlice(model_scores, 1, slots))
            ) AS ideal,
            arraySum((score, pair) -> (score - lowest) / log2(pair.2 + 1), found_scores, found) AS gained,
            if(judged, least(greatest(1 - 0.1 * agreement / (1 - pow(0.9, greatest(slots, 1))), 0), 1), 0) AS pressure,
            arraySum((n, taking) -> if(arrayExists(rule -> rule != '', taking), n, 0), item_slots, takers) AS slots_by_rules,
            judged AND ideal > 0 AS has_regret,
            -- what the last filter that worked let through, less what rules took out; and what business logic had left
            arrayMap(
                (status, has_items, n_out) -> status NOT IN ('timeout', 'error') AND (has_items OR n_out IS NOT NULL),
                stages.status, stages.has_items, stages.n_out
            ) AS worked,
            arrayLast(
                (component, stage, works) -> works AND stage = 'filtering', stages.component, stages.stage, worked
            ) AS last_filter,
            arrayMap(
                (component, stage, works) -> works AND stage = 'filtering' AND component = last_filter,
                stages.component, stages.stage, worked
            ) AS filtering,
            has(filtering, 1) AS filtered,
            greatest(
                arrayMax((n_out, counts) -> if(counts, ifNull(n_out, 0), 0), stages.n_out, filtering),
                length(arrayDistinct(arrayFlatten(arrayFilter((items, counts) -> counts, stages.items, filtering))))
            ) AS passed,
            length(arrayDistinct(arrayFlatten(arrayMap(
                (stage, dropped, adjustments) -> if(stage != 'business_logic', [], arrayConcat(
                    arrayFlatten(mapValues(dropped)), arrayFilter(a -> a.action = 'drop', adjustments).item
                )),
                stages.stage, stages.dropped, stages.adjustments
            )))) + arraySum(unnamed.n) AS excluded,
            arrayLastIndex((stage, works) -> works AND stage = 'business_logic', stages.stage, worked) AS arranging,
            ifNull(stages.n_out[arranging], length(stages.items[arranging])) AS arranged,
            filtered OR arranging > 0 AS constrained,
            excluded > 0 AND arranging > 0 AND arranged < k AS left_short,
            left_short OR (filtered AND passed < excluded + k) AS over,
            over OR (filtered AND passed < excluded + 2 * k) AS over_2k,
            length(arrayDistinct(moves.rule)) AS matching
        FROM places
    )
