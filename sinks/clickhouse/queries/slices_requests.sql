-- Requests, of sealed windows now and in the time to compare with, with the values that they are told apart by.
SELECT
            window >= {since:DateTime('UTC')} AS is_now,
            $first AS first_value,
            $second AS second_value,
            $columns
        FROM $database.traces_runs
        WHERE $visible AND ({placement:String} = '' OR placement = {placement:String}) AND $condition
