"""Alerts about the recommender: signals of sealed windows in, states and notifications out.

`definitions` say what alerts there are and `thresholds` what is different here, `signals` makes signals of counts,
`judge` a verdict of a signal, `machine` states of verdicts, `inhibition` tells which alert says it already, `text` is
what people read. All of that is pure. engine.py drives it between the ports.
"""
