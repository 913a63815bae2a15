-- Slots that were shown, with the score that each model gave the item, in the last of its attempts that has scores, and
-- whether it was clicked.
SELECT placement, event.1 AS component, event.2 AS version, event.3 AS score, event.4 AS click
FROM
(
    SELECT
        placement,
        arrayFilter(n -> stages[n] = 'scoring' AND notEmpty(scores[n]), arrayEnumerate(stages)) AS given,
        arrayFilter(
            n -> NOT arrayExists(o -> components[o] = components[n] AND attempts[o] > attempts[n], given), given
        ) AS last,
        arrayFlatten(arrayMap(
            n -> arrayMap(
                slot -> (components[n]::String, versions[n]::String, scores[n][indexOf(lists[n], slot.1)], has(clicked, slot.1)),
                slots
            ),
            last
        )) AS events
    FROM ({shown})
)
ARRAY JOIN events AS event
WHERE score IS NOT NULL AND $__conditionalAll(component IN (${scorer:singlequote}), $scorer)
