"""What people read, and where the links lead."""

import io
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console, RenderableType

from rectrace import alert_list
from schemas.alerts import AlertState, Change, Evaluation
from streams.alerts.definitions import DEFINITIONS
from streams.alerts.model import Definition, Kind, Signal
from streams.alerts.text import Links, addresses, describe, notification, number, percent

T = 1_780_315_200  # 2026-06-01 12:00 UTC
WHERE = {"placement": "home", "stage": "retrieval", "component": "ann"}
STATE = AlertState(
    "SourceEmpty", WHERE, "page", "firing", T, [(T, "b"), (T + 10, "b")], told=True, fired=T + 10,
    annotations={"summary": "ann returns nothing.", "description": "Look at its index."},
    examples=["r-1", "r-2"], also=["ShortResponses placement=home"],
)  # fmt: skip
LINKS = Links("http://console", "http://grafana", "https://wiki/runbooks")


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
def test_every_alert_has_one_sentence_with_figures_and_says_what_to_do(definition: Definition) -> None:
    text = {"expected": "480"}
    signal = Signal(definition, WHERE, bad=123, total=456, value=0.789, baseline=321.0, text=text)
    told = describe(signal, STATE)
    assert told["summary"].endswith(".")
    assert not {"{", "}", "None"} & set(told["summary"])
    assert any(figure in told["summary"] for figure in ("123", "27%", "0.8", "0.2%"))
    assert told["description"]
    assert len(told["summary"]) < 160


def test_a_template_that_asks_for_what_is_not_there_leaves_it_out() -> None:
    odd = Definition("Odd", "info", Kind.COUNT, 1, summary="{nobody} is {placement}{nothing.here}")
    assert describe(Signal(odd, {"placement": "home"}, 3), STATE)["summary"] == "is home"


def test_a_template_that_is_none_is_shown_as_it_is() -> None:
    odd = Definition("Odd", "info", Kind.COUNT, 1, summary="too {many")
    assert describe(Signal(odd, {}, 3), STATE)["summary"] == "too {many"


def test_a_value_in_braces_is_only_text() -> None:
    odd = Definition("Odd", "info", Kind.COUNT, 1, summary="{message}")
    signal = Signal(odd, {}, 3, text={"message": "{0.__class__} {placement}"})
    assert describe(signal, STATE)["summary"] == "{0.__class__} {placement}"


def test_a_notification_has_stable_labels_and_all_that_is_needed() -> None:
    told = notification(STATE, LINKS, T + 300)
    assert told.labels == {"alertname": "SourceEmpty", "severity": "page", "service": "rectrace", **WHERE}
    assert (told.starts_at, told.ends_at) == (T, T + 300)
    assert told.annotations["also"] == "ShortResponses placement=home"
    assert told.annotations["examples"] == "r-1 r-2"
    assert told.annotations["runbook_url"] == "https://wiki/runbooks/SourceEmpty"
    assert told.link == f"http://console/alerts/{STATE.fingerprint}"


def test_links_have_the_time_and_the_variables() -> None:
    found = addresses(STATE, LINKS)
    requests, dashboard = urlsplit(found["requests_url"]), urlsplit(found["dashboard_url"])
    assert requests.path == "/requests"
    assert parse_qs(requests.query) == {
        "placement": ["home"], "from": ["2026-06-01T11:50:00Z"], "to": ["2026-06-01T12:00:20Z"],
    }  # fmt: skip
    assert dashboard.path == "/d/rectrace-funnel"
    asked = parse_qs(dashboard.query)
    assert asked["var-component"] == ["ann"]
    assert asked["from"] == [str((T - 600) * 1000)]
    lags = AlertState("IngestLag", {}, "page", "firing", T, [(T, "b")])
    assert urlsplit(addresses(lags, LINKS)["dashboard_url"]).path == "/d/rectrace-pipeline"


@pytest.mark.parametrize(
    ("metric", "asked"), [("failed", "status=error"), ("empty", "status=empty"), ("zero_out", ""), ("degenerate", "")]
)
def test_requests_are_asked_for_by_a_status_that_they_can_have(metric: str, asked: str) -> None:
    labels = {"placement": "home", "component": "ranker", "metric": metric}
    state = AlertState("ComponentWorse", labels, "ticket", "firing", T, [(T, "b")])
    query = urlsplit(addresses(state, Links(console="http://c"))["requests_url"]).query
    assert [part for part in query.split("&") if part.startswith("status")] == ([asked] if asked else [])


def test_without_addresses_there_are_no_links() -> None:
    assert not any(addresses(STATE, Links()).values())
    assert notification(STATE, Links(), T).link == ""


def test_figures() -> None:
    assert [percent(share) for share in (0, 0.023, 0.0994, 0.0996, 0.5)] == ["0.0%", "2.3%", "9.9%", "10%", "50%"]
    assert [number(value) for value in (None, 3, 0.25, 1234.5)] == ["-", "3", "0.2", "1,234"]


# --- rectrace alerts list


def printed(renderable: RenderableType, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False, emoji=False).print(renderable)
    return file.getvalue()


def listed(*changed: Change, newest: list[AlertState] | None = None) -> list[alert_list.Incident]:
    last = Evaluation("sealed", T + 60, 1, "judged", newest or [])
    return alert_list.incidents([Evaluation("sealed", T + 50, 1, "judged", changes=list(changed))], [last], Links())


def test_an_incident_is_what_was_heard_of_it_last() -> None:
    fires, ends = Change("firing", True, STATE), Change("resolved", True, STATE, T + 90)
    assert [(each.status, each.told) for each in listed(fires, newest=[STATE])] == [("firing", True)]
    (over,) = listed(fires, ends)
    assert (over.status, over.ended) == ("resolved", datetime.fromtimestamp(T + 90, UTC))


def test_what_fires_comes_first() -> None:
    pending = AlertState("NoResponse", {}, "page", "pending", T + 30, [(T, "b")])
    ticket = AlertState("LatencyShift", {}, "ticket", "firing", T + 40, [(T, "b")])
    over = Change("resolved", True, AlertState("EmptyResponses", {}, "page", "firing", T + 50, [(T, "b")]), T + 80)
    found = listed(over, newest=[pending, ticket, STATE])
    assert [each.alert for each in found] == ["SourceEmpty", "LatencyShift", "NoResponse", "EmptyResponses"]


def test_what_is_shown() -> None:
    inhibited = AlertState(
        "ShortResponses", {"placement": "home"}, "page", "firing", T, [(T, "b")], inhibited_by=STATE.name
    )
    text = printed(alert_list.show(listed(newest=[STATE, inhibited]), datetime.fromtimestamp(T + 100, UTC)), 100)
    assert "firing   page   SourceEmpty  placement=home stage=retrieval component=ann" in text
    assert "12:00:00 until now, 100 s" in text
    assert "for example: r-1 r-2" in text
    assert "said by SourceEmpty placement=home stage=retrieval component=ann" in " ".join(text.split())
