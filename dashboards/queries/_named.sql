-- What segment_metrics calls the segments and arms of a trace.
arrayConcat(
        arrayMap((name, value) -> concat(name, '=', value), mapKeys(traces.segments), mapValues(traces.segments)),
        arrayMap((name, arm) -> concat('experiment.', name, '=', arm), mapKeys(experiments), mapValues(experiments))
    )
