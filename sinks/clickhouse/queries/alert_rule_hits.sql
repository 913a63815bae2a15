-- What each rule found in each window, as far before {first} as the rule itself looks: {seconds} of {names}.
SELECT toUnixTimestamp(window), rule, version, grouped, sum(judged), sum(hit)
FROM $database.rule_hits
WHERE window BETWEEN {earliest:DateTime('UTC')} AND {last:DateTime('UTC')}
    AND has({names:Array(String)}, rule)
    AND window > {first:DateTime('UTC')} - toIntervalSecond({seconds:Array(UInt32)}[indexOf({names:Array(String)}, rule)])
GROUP BY window, rule, version, grouped
ORDER BY window, rule, grouped
