"""The pages of alerts, as a simulated browser sees them, with the evaluations of an engine and an Alertmanager."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from nicegui import ui
from nicegui.testing import User
from pydantic import SecretStr

from rectrace import alert_list
from rectrace.console import alert_story
from rectrace.local.alertmanager import RunningAlertmanager
from rectrace.local.ports import LOOPBACK, free_port
from rectrace.settings import Alerts, Console, Settings
from schemas.alerts import AlertState, Change, Evaluation
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, migrate
from sinks.silences import Matcher, Silences
from streams.alerts.text import Links
from tests.support.console import rows, texts, visit

NOW = int(time.time()) // 10 * 10
BEGAN = NOW - 600
PATIENT = 60
SCRIPT = "<script>alert(1)</script>"
EMPTY = AlertState(
    "EmptyResponses", {"placement": "home"}, "page", "firing", BEGAN, [(BEGAN, "b"), (BEGAN + 10, "b")], told=True,
    fired=BEGAN + 10, bad=14, total=280, threshold=0.02, examples=["r-1", "r/2"],
    also=["ShortResponses placement=home"],
    changed=f"empty responses at home 5.0%, was 0%; suspect filtering/{SCRIPT}",
    annotations={"summary": "5.0% of the responses at home are empty.", "description": "Look where they go."},
)  # fmt: skip
SHORT = AlertState(
    "ShortResponses", {"placement": "home"}, "page", "firing", BEGAN - 10, [(BEGAN, "b")], fired=BEGAN,
    inhibited_by=EMPTY.name, bad=30, total=280, threshold=0.1,
)  # fmt: skip
PENDING = AlertState("NoResponse", {"placement": "cart"}, "page", "pending", NOW - 20, [(NOW - 20, "b")])
EARLIER = replace(EMPTY, began=NOW - 7200, recent=[(NOW - 7200, "b")], also=[])
LATE = AlertState("DeadLetters", {"component": "ann"}, "ticket", "firing", NOW - 9000, [(NOW - 9000, "b")])
GOOD = [(BEGAN + 10, "b"), (BEGAN + 20, "h")]


@pytest.fixture(scope="module")
def settings(clickhouse: str) -> Iterator[Settings]:
    name = f"console_alerts_{os.getpid()}"
    with connect(clickhouse) as client:
        migrate(client, Layout(name))
        store = ClickHouseAlerts(client, name)
        store.save(
            [
                evaluation(NOW - 9000, [LATE], Change("firing", False, LATE)),
                evaluation(NOW - 8990, [], Change("resolved", False, LATE, NOW - 8980, "no data any more")),
                evaluation(NOW - 7200, [EARLIER], Change("firing", True, EARLIER)),
                evaluation(NOW - 7100, [], Change("resolved", True, EARLIER, NOW - 7090)),
                evaluation(BEGAN, [replace(EMPTY, recent=[(BEGAN, "b")], bad=9, total=90)]),
                evaluation(BEGAN + 10, [EMPTY, SHORT], Change("firing", True, EMPTY), Change("firing", False, SHORT)),
                evaluation(BEGAN + 20, [replace(EMPTY, recent=GOOD), SHORT]),
                evaluation(NOW - 10, [replace(EMPTY, recent=[*GOOD[1:], (NOW - 10, "b")], bad=20), SHORT, PENDING]),
                Evaluation("ingest", NOW - 10, 0, "judged"),
            ]
        )
        yield Settings(clickhouse=clickhouse, database=name)
        client.command(f"DROP DATABASE {name} SYNC")


def evaluation(window: int, states: list[AlertState], *changes: Change) -> Evaluation:
    return Evaluation("sealed", window, 1, "judged", states, list(changes))


def told_to(settings: Settings, *urls: str) -> Settings:
    return settings.model_copy(update={"alerts": Alerts(alertmanager=urls)})


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(PATIENT):
        if holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not in time")


def test_the_list(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open("/alerts")
        await user.should_see(kind=ui.table, retries=PATIENT)
        found = rows(user, "table-alerts")
        assert [(row["status"], row["alert"], row["where"], row["told"]) for row in found] == [
            ("firing", "EmptyResponses", "placement=home", "no Alertmanager is set"),
            ("firing", "ShortResponses", "placement=home", "said by EmptyResponses placement=home"),
            ("pending", "NoResponse", "placement=cart", "not yet"),
            ("resolved", "EmptyResponses", "placement=home", "no Alertmanager is set"),
            ("resolved", "DeadLetters", "component=ann", "nobody was told: seen too late"),
        ]
        assert found[0]["alert_href"] == f"/alerts/{EMPTY.fingerprint}"
        assert found[3]["alert_href"] == f"/alerts/{EMPTY.fingerprint}?began={NOW - 7200}"
        assert found[0]["changed"] == EMPTY.changed
        assert round(found[3]["minutes"], 2) == round(110 / 60, 2)
        assert "Who acted is not known: no Alertmanager is set (alerts.alertmanager)." in texts(user)
        await user.open("/alerts?status=firing&alert=ShortResponses")
        await user.should_see("1 alerts, 1 of them firing now", retries=PATIENT)
        await user.open(f"/alerts?from={(NOW - 7150) * 1000}&to={(NOW - 7140) * 1000}")
        await user.should_see("1 alerts, 0 of them firing now", retries=PATIENT)
        (row,) = rows(user, "table-alerts")
        assert row["began"] == f"{datetime.fromtimestamp(NOW - 7200, UTC):%F %T}"

    visit(settings, journey)


def test_what_cannot_be_asked_for_and_what_is_not_there(settings: Settings) -> None:
    async def journey(user: User) -> None:
        for address, said in (
            ("/alerts?status=on", "status='on' is none of firing, pending, resolved"),
            ("/alerts?alert=Empty", "alert='Empty' is none of BudgetBurn, "),
            ("/alerts/0123?began=noon", "began='noon' is no time in seconds since the epoch"),
            ("/alerts?alert=IngestLag", "No such alert in that time."),
            ("/alerts/0123", "Nothing is known of an alert '0123' in that time."),
            (f"/alerts/{EMPTY.fingerprint}?began=7", "It began at another time."),
        ):
            await user.open(address)
            await user.should_see(said, retries=PATIENT)

    visit(settings, journey)


def test_one_alert(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/alerts/{EMPTY.fingerprint}")
        await user.should_see("What changed: empty responses at home 5.0%", retries=PATIENT)
        said = texts(user)
        assert f"What changed: {EMPTY.changed}" in said
        assert "In its newest bad window: 20 of 280 (7.1%), allowed are 2.0%" in said
        assert "Nobody was told: no Alertmanager is set (alerts.alertmanager)." in said
        with user:
            links = {each.text: each.props["href"] for each in user.find(kind=ui.link).elements}
            (chart,) = user.find(kind=ui.echart).elements
        assert links["ShortResponses placement=home"] == f"/alerts/{SHORT.fingerprint}"
        assert (links["r-1"], links["r/2"]) == ("/requests/r-1", "/requests/r%2F2")
        assert links["Requests of it"].startswith("/requests?placement=home&status=empty&from=")
        measured, allowed = chart.options["series"]
        assert [value and round(value, 1) for value in measured["data"]] == [10.0, 5.0, None, 7.1]
        assert allowed["data"] == [2.0, 2.0, None, 2.0]
        (earlier,) = rows(user, "table-earlier")
        assert (earlier["status"], earlier["acted"]) == ("resolved", "not known")
        await user.open(str(earlier["began_href"]))
        await user.should_see("resolved · page · was", retries=PATIENT)
        await user.open(links["ShortResponses placement=home"])
        await user.should_see("Not told by itself: it is said by", retries=PATIENT)
        with user:
            parents = {each.text: each.props["href"] for each in user.find(kind=ui.link).elements}
        assert parents[EMPTY.name] == f"/alerts/{EMPTY.fingerprint}"

    visit(settings, journey)


@pytest.mark.needs("alertmanager")
def test_acknowledging_and_taking_it_back(settings: Settings, alertmanager: RunningAlertmanager) -> None:
    known = Silences([alertmanager.url], 5)

    def states() -> list[str]:
        return [each.state for each in known.read().silences]

    async def journey(user: User) -> None:
        await user.open(f"/alerts/{EMPTY.fingerprint}")
        await user.should_see("Nobody has acknowledged or silenced it.", retries=PATIENT)
        user.find(marker="submit").click()
        await user.should_see("Nothing was changed: say why: whoever is called next reads it", retries=PATIENT)
        assert states() == []
        user.find(marker="why").type("looking at the filter")
        user.find(marker="submit").click()
        await user.should_see(marker="silence-active", retries=PATIENT)
        (made,) = known.read().silences
        (incident,) = alert_list.incidents([], [evaluation(NOW, [EMPTY])], Links())
        assert set(made.matchers) == set(alert_story.exactly(incident))
        assert made.why == "acknowledged: looking at the filter"
        assert made.by
        assert made.ends - made.starts > timedelta(minutes=59)
        assert f"Acknowledged by {made.by}" in texts(user)
        await user.open("/alerts?alert=EmptyResponses")
        await user.should_see(kind=ui.table, retries=PATIENT)
        assert [row["acted"] for row in rows(user, "table-alerts")] == [f"acknowledged by {made.by}", "ignored"]
        (tally,) = rows(user, "table-tally")
        assert (tally["fired"], tally["acted on"], tally["ignored"]) == (2, 1, 1)
        assert any("forgets silences that have ended after its retention (5 days" in text for text in texts(user))
        await user.open(f"/alerts/{EMPTY.fingerprint}")
        await user.should_see("End it", retries=PATIENT)
        user.find(marker="end").click()
        await user.should_see(marker="silence-expired", retries=PATIENT)
        assert states() == ["expired"]

    visit(told_to(settings, alertmanager.url), journey)


@pytest.mark.needs("alertmanager")
def test_silencing_more_than_one_as_somebody_without_a_name(
    settings: Settings, alertmanager: RunningAlertmanager
) -> None:
    known = Silences([alertmanager.url], 5)

    async def journey(user: User) -> None:
        user.http_client.headers["authorization"] = "Bearer editors-editors-1"
        await user.open(f"/alerts/{EMPTY.fingerprint}")
        await user.should_see(marker="submit", retries=PATIENT)
        with user:
            user.find(kind=ui.radio, marker="kind").elements.pop().set_value("silence")
            labels = user.find(kind=ui.select, marker="labels").elements.pop()
            labels.set_value([])
            user.find(kind=ui.select, marker="hours").elements.pop().set_value(24)
        user.find(marker="submit").click()
        await user.should_see("Nothing was changed: say who you are", retries=PATIENT)
        user.find(marker="who").type("ben")
        user.find(marker="why").type("migration")
        user.find(marker="submit").click()
        await user.should_see("choose at least one label", retries=PATIENT)
        with user:
            labels.set_value(["placement=home"])
        user.find(marker="submit").click()
        await user.should_see("Silenced by ben", retries=PATIENT)
        (made,) = known.read().silences
        assert set(made.matchers) == {Matcher("service", "rectrace"), Matcher("placement", "home")}
        assert (made.by, made.why) == ("ben", "migration")
        assert timedelta(hours=23) < made.ends - made.starts <= timedelta(hours=24)
        await user.open(f"/alerts/{SHORT.fingerprint}")
        await user.should_see("Silenced by ben", retries=PATIENT)

    visit(tokens(told_to(settings, alertmanager.url)), journey)


@pytest.mark.needs("alertmanager")
def test_viewers_see_who_acted_and_which_right_they_lack(settings: Settings, alertmanager: RunningAlertmanager) -> None:
    async def journey(user: User) -> None:
        user.http_client.headers["authorization"] = "Bearer viewers-viewers-1"
        await user.open(f"/alerts/{EMPTY.fingerprint}")
        await user.should_see("Nobody has acknowledged or silenced it.", retries=PATIENT)
        await user.should_see("needs the right of an editor")
        await user.should_not_see(marker="submit")

    visit(tokens(told_to(settings, alertmanager.url)), journey)


def test_an_alertmanager_that_is_away_is_said_and_hides_nothing_else(settings: Settings) -> None:
    url = f"http://{LOOPBACK}:{free_port()}"

    async def journey(user: User) -> None:
        await user.open("/alerts")
        await user.should_see(kind=ui.table, retries=PATIENT)
        assert {row["acted"] for row in rows(user, "table-alerts")} == {"not known", "told nobody", ""}
        assert any(text.startswith(f"Who acted is not known: alertmanager at {url}") for text in texts(user))
        await user.open(f"/alerts/{EMPTY.fingerprint}")
        await user.should_see(marker="problem", retries=PATIENT)
        user.find(marker="why").type("looking")
        user.find(marker="submit").click()
        await user.should_see(f"Nothing was changed: alertmanager at {url} does not answer", retries=PATIENT)

    visit(told_to(settings, url), journey)


def tokens(settings: Settings) -> Settings:
    console = Console(token=SecretStr("viewers-viewers-1"), editor_token=SecretStr("editors-editors-1"))
    return settings.model_copy(update={"console": console})
