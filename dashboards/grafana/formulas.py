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
