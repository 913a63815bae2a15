"""Formulas of streams/detect as ClickHouse computes them: expressions over expressions. Tests compare the two."""


def wilson(part: str, whole: str, z: float) -> tuple[str, str]:
    """Both ends of the interval of a share, as streams.detect.proportion.wilson; whole is above 0."""
    square = z * z
    centre = f"({part} + {square / 2}) / ({whole} + {square})"
    half = f"{z} * sqrt(greatest({part} * ({whole} - {part}) / {whole}, 0) + {square / 4}) / ({whole} + {square})"
    return f"greatest({centre} - {half}, 0)", f"least({centre} + {half}, 1)"


def variance(part: str, whole: str) -> str:
    """Of a share of independent trials, as streams.detect.proportion.Share."""
    p = f"(({part} + 2) / ({whole} + 4))"
    return f"{p} * (1 - {p}) / greatest({whole}, 1)"


def chi_square_tail(x: str, freedom: str) -> str:
    """As streams.detect.tails.chi_square_tail, in its finite form (Abramowitz and Stegun 26.4.4 and 26.4.5), which is
    enough for the few arms of an experiment. x is above 0 or 0, freedom a whole number of at least 1."""
    half = f"({x}) / 2"
    odd = f"arraySum(j -> pow({half}, j - 0.5) / tgamma(j + 0.5), range(1, intDiv({freedom}, 2) + 1))"
    even = f"arraySum(j -> pow({half}, j) / tgamma(j + 1), range(0, intDiv({freedom}, 2)))"
    return f"if({freedom} % 2 = 1, erfc(sqrt({half})) + exp(-{half}) * {odd}, exp(-{half}) * {even})"
