-- Requests of sealed windows by two things that tell them apart, now and in the time to compare with: $sums of each. The
-- commonest $most values of each thing keep their names, all others go together.
WITH
    told AS
    (
        $requests
    ),
    (SELECT (topK($most)(first_value), topK($most)(second_value)) FROM ($named)) AS common
SELECT
    if(has(common.1, t.first_value), t.first_value, {others:String}) AS first,
    if(has(common.2, t.second_value), t.second_value, {others:String}) AS second,
    is_now,
    count() AS requests,
    $sums
FROM told AS t
GROUP BY first, second, is_now
ORDER BY first, second, is_now
