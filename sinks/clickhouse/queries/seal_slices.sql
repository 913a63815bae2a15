-- The traces of a run with what their candidates are counted by in place of `segments`: '' for the total, and name=value
-- of each configured segment that the request has, where only the values in `known` keep their name.
SELECT * REPLACE (
    arrayConcat(
        [''],
        arrayMap(
            name -> concat(name, '=', if(has(known, concat(name, '=', segments[name])), segments[name], 'other')),
            arrayFilter(name -> mapContains(segments, name), $segments)
        )
    )::Array(LowCardinality(String)) AS segments
)
FROM ($traces)
