-- How much of both times is sealed, and until when anything is.
SELECT
    countIf(window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}) AS windows_now,
    countIf(window >= {then_since:DateTime('UTC')} AND window < {then_until:DateTime('UTC')}) AS windows_before,
    countIf(incomplete AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}) AS incomplete_now,
    (SELECT if(count() = 0, NULL, max(window) + 10) FROM $database.sealed) AS sealed
FROM $database.visible
WHERE window >= {then_since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
