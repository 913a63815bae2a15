INSERT INTO $database.rule_pressure_runs
$moves
SELECT
    {window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64},
    move.rule AS rule, placement,
    countIf(time = 1),
    sumIf(move.n, move.action = 'boost'),
    sumIf(move.n, move.action = 'bury'),
    sumIf(move.n, move.action = 'pin'),
    sumIf(move.n, move.action = 'inject'),
    sumIf(move.n, move.action = 'drop'),
    sum(move.taken),
    sumIf(move.slots, move.action = 'boost'),
    sumIf(move.slots, move.action = 'bury'),
    sumIf(move.slots, move.action = 'pin'),
    sumIf(move.slots, move.action = 'inject'),
    sum(move.conflict),
    sum(move.lost),
    sumMapIf(map(move.winner, 1::UInt64), move.winner != '')
FROM
(
    SELECT placement, moves.moves AS moves, arrayEnumerateUniq(moves.rule) AS times FROM moves
)
ARRAY JOIN moves AS move, times AS time
GROUP BY rule, placement
