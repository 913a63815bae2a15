"""Heat-maps: which cells are hot, which have no colour, and that texts are only texts."""

import pytest

from rectrace.console.charts import BAD, COOL, FAINT, GOOD, Cell, heatmap


@pytest.mark.parametrize(
    ("more_is_worse", "low", "high", "white"),
    [(True, GOOD, BAD, [False, True]), (False, BAD, GOOD, [True, False]), (None, *COOL, [False, True])],
)
def test_the_colours_say_what_is_bad(more_is_worse: bool | None, low: str, high: str, white: list[bool]) -> None:
    cells = [Cell(0, 0, 0.1, "10%", "", faded=False), Cell(1, 0, 0.5, "50%", "", faded=False)]
    options = heatmap(["a", "b"], ["c"], cells, more_is_worse=more_is_worse)
    scale = options["visualMap"]
    assert (scale["min"], scale["max"]) == (0.1, 0.5)
    assert (scale["inRange"]["color"][0], scale["inRange"]["color"][-1]) == (low, high)
    assert [cell["label"]["color"] == "#ffffff" for cell in options["series"][0]["data"]] == white


def test_few_requests_are_on_no_scale() -> None:
    cells = [Cell(0, 0, 0.1, "10%", "", faded=False), Cell(1, 0, 0.9, "90%", "", faded=True)]
    options = heatmap(["a", "b"], ["c"], cells, more_is_worse=True)
    assert options["visualMap"]["max"] == pytest.approx(0.1)
    assert options["visualMap"]["max"] > options["visualMap"]["min"]
    shown, few = options["series"][0]["data"]
    assert "visualMap" not in shown
    assert (few["visualMap"], few["itemStyle"]["color"]) == (False, FAINT)


def test_what_is_called_like_a_template_is_drawn_as_it_is() -> None:
    odd = Cell(0, 0, 1.0, "{b}", "city={c|x}", faded=False)
    (cell,) = heatmap(["a"], ["b"], [odd], more_is_worse=True)["series"][0]["data"]
    assert (cell["label"]["formatter"], cell["tooltip"]["formatter"]) == ("(b)", "city=(c|x)")
