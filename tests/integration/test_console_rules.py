"""The pages of rules, as a simulated browser sees them: read, write, try, publish and disable."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import NewTopic
from nicegui import ui
from nicegui.testing import User
from pydantic import SecretStr

from rectrace import database, rule_preview
from rectrace.console.pages import rule as one_rule
from rectrace.console.pages import rule_edit
from rectrace.rule_drafts import NAMELESS, TEMPLATES
from rectrace.settings import Console, Settings, Topics, user_name
from schemas.parts import WINDOW_MS, RuleRow
from schemas.rule_log import rule_row
from schemas.rules import Rule
from sinks.clickhouse.client import connect
from sinks.clickhouse.reader import Period
from tests.support import incident
from tests.support.console import rows, texts, visit
from tests.support.rule_shop import Shop

TIME = "from=2100-01-01T12:00:00Z&to=2100-01-01T12:01:00Z"
PATIENT = 150  # looks at what is to come, a tenth of a second apart
SCRIPT = "<script>alert(1)</script>"
RECENT = 8  # requests of now
VIEWER = "viewers-may-only-look"
WATCH = TEMPLATES["Watch served items"].replace(NAMELESS, "no-g1")


@dataclass
class Made:
    """A shop whose rules are published to a broker."""

    settings: Settings
    shop: Shop
    now_ms: int

    def history(self, rule: str) -> list[tuple[Any, ...]]:
        return self.shop.made.rows(
            "SELECT deleted, by, note FROM $database.rules FINAL WHERE id = {rule:String} ORDER BY record_at", rule=rule
        )


@pytest.fixture(scope="module")
def made(clickhouse: str, broker: str) -> Iterator[Made]:
    name, now_ms = f"console_rules_{os.getpid()}", int(time.time() * 1000)
    ago = (now_ms - 120_000) // WINDOW_MS * WINDOW_MS - incident.NOON_MS
    countries = ("DE", "FR")
    parts = [
        incident.journey(f"now-{n}", ago + n * 500, dropped={}, country=countries[n % 2]).part() for n in range(RECENT)
    ]
    parts += [incident.journey(f"whole-{n}", 1_000 * n, dropped={"seen": ["g6"]}).part() for n in (1, 2)]
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(f"{name}.rules", 1, 1)])
    admin.close()
    with connect(clickhouse) as client:
        shop = Shop(client, name)
        hour_ago = now_ms - 3_600_000
        knit = {"id": "knit", "scope": "item", "when": "category = 'knit'", "runbook": "https://example.org/knit"}
        shop.publish({**knit, "severity": "info"}, at=hour_ago - 1_000)
        shop.publish({**knit, "severity": "page", "message": SCRIPT}, at=hour_ago)
        boost = {"type": "boost", "delta": 0.05}
        shop.publish({"id": "boost_new_season", "scope": "item", "when": "item = 'g1'", "action": boost}, at=hour_ago)
        shop.publish({"id": "quiet", "scope": "trace", "when": "total_ms > 9000"}, at=hour_ago)
        shop.made.sink.write_rules([RuleRow("quiet", hour_ago + 1_000, by="ann", note="noise", deleted=True)])
        shop.know("g1", category="knit", brand="Acme", title="Linen Boxy Knit Top", at=hour_ago)
        shop.know("g1", category="knit", brand="Acme", title="Linen Boxy Knit Top", at=incident.NOON_MS - 1_000)
        shop.made.land(parts)
        shop.settle()
        settings = Settings(kafka=broker, clickhouse=clickhouse, database=name, topics=Topics(rules=f"{name}.rules"))
        yield Made(settings, shop, now_ms)
        client.command(f"DROP DATABASE {name} SYNC")


async def seen(user: User, marker: str) -> str:
    """What the label with this marker says, once it is there."""
    await user.should_see(marker=marker, retries=PATIENT)
    with user:
        return " ".join(str(each.text) for each in user.find(marker=marker, kind=ui.label).elements)


def write(user: User, text: str) -> None:
    with user:
        (editor,) = user.find(kind=ui.codemirror).elements
        editor.set_value(text)


def test_the_list(made: Made) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/rules?{TIME}")
        await user.should_see(kind=ui.table, retries=PATIENT)
        listed = {row["id"]: row for row in rows(user, "table-rules")}
        assert set(listed) == {"knit", "boost_new_season"}
        knit, boost = listed["knit"], listed["boost_new_season"]
        assert (knit["does"], knit["hit"], knit["judged"], knit["last_hit"]) == ("watches", 2, 2, "01-01 12:00:00")
        assert (knit["last_fired"], knit["state"], knit["slots"]) == ("never", "ok", None)
        assert str(knit["version"]).startswith("2 (")
        assert (boost["does"], boost["hit"], boost["slots"], boost["conflicts"]) == ("boosts by 0.05", 2, 2, 0)
        assert boost["slot_share"] == pytest.approx(100 / 3)
        user.find(marker="disabled").click()
        for _ in range(PATIENT):
            if user.back_history[-1].startswith("/rules?disabled=1&from=2100"):
                break
            await asyncio.sleep(0.1)
        await user.should_see(kind=ui.table, retries=PATIENT)
        (quiet,) = (row for row in rows(user, "table-rules") if row["id"] == "quiet")
        assert str(quiet["state"]).startswith("disabled")
        assert quiet["last_hit"] == "never"
        await user.open("/rules?disabled=yes")
        await user.should_see("disabled='yes' is neither 0 nor 1")

    visit(made.settings, journey)


def test_one_rule(made: Made) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/rules/knit?{TIME}")
        assert await seen(user, "hits") == "2 of 2 requests that it judged"
        said = texts(user)
        assert "Watches: an item is at fault that was served although the category is “knit”." in said
        assert SCRIPT in said
        assert "Its runbook: what to do when it fires" in said
        found = {row["request_id"]: row for row in rows(user, "table-examples")}
        assert set(found) == {"whole-1", "whole-2"}
        assert found["whole-1"]["request_id_href"] == "/requests/whole-1"
        assert (found["whole-1"]["items"], found["whole-1"]["values"]) == ("g1 at 1", "category = knit")
        assert [row["what"] for row in rows(user, "table-history")] == ["published", "published"]
        assert "+severity: page" in said
        (chart,) = user.find(kind=ui.echart).elements
        assert sum(chart.options["series"][0]["data"]) == 2
        await user.open("/rules/knitt")
        await user.should_see("No rule 'knitt' has been published.", retries=PATIENT)

    visit(made.settings, journey)


def test_one_rule_that_acts(made: Made) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/rules/boost_new_season?{TIME}")
        assert "candidates of 2 requests, holds 2 served slots (33.3% of all)" in await seen(user, "pressure")
        assert {row["request_id"] for row in rows(user, "table-moved")} == {"whole-1", "whole-2"}
        assert await seen(user, "effects") == "Changes 2 of 2 sampled lists: 4 of 6 places hold another item"

    visit(made.settings, journey)


def test_what_it_would_have_done(made: Made) -> None:
    """Preview, before and after, backtest: all within the limits of the console, over what is sealed."""
    now = datetime.fromtimestamp(made.now_ms / 1000, UTC)
    period = Period(now - timedelta(hours=1), now)
    knit = Rule.model_validate(
        {"id": "no-knit", "owner": "o", "scope": "item", "message": "m", "when": "category = 'knit' and position < 3",
         "fires": {"count": 3}}
    )  # fmt: skip
    pin = Rule.model_validate(
        {"id": "pin", "owner": "o", "scope": "item", "message": "m", "when": "item = 'g6'",
         "action": {"type": "pin", "position": 1}}
    )  # fmt: skip
    with database.asking(made.settings) as reader:
        found = rule_preview.preview(reader, made.settings.database, knit, period)
        assert (found.there, found.read, found.judged, found.hit, found.violations) == (8, 8, 8, 8, 8)
        assert [slate.request_id for slate in found.slates] == [f"now-{n}" for n in range(7, -1, -1)]
        assert found.slates[0].items == ["g1", "g2", "g3"]
        assert found.slates[0].marked == {1: {"category": "knit"}}
        effects = one_rule.measured(reader, pin, period)
        assert (effects.requests, effects.picked, effects.slots, effects.moved) == (8, 8, 24, 24)
        assert (dict(effects.gained), dict(effects.lost)) == ({"g6": 8}, {"g3": 8})
        assert effects.alike == 24  # by the rules of now: g1, g2, g3
        trial = rule_edit.Trial()
        tested = rule_edit.backtest(reader, made.settings.database, knit, period, trial)
        assert tested is not None
        assert (tested.found.hit, tested.found.fired, trial.done, trial.total) == (8, 1, 8, 8)
        stopped = rule_edit.Trial(stop=threading.Event())
        stopped.stop.set()
        with pytest.raises(rule_edit.Cancelled):
            rule_edit.backtest(reader, made.settings.database, knit, period, stopped)


def test_a_rule_is_checked_tried_and_published(made: Made) -> None:
    async def journey(user: User) -> None:
        await user.open("/rules/new")
        user.find(marker="template-items").click()
        await user.should_see("give it a name of its own", retries=PATIENT)
        write(user, WATCH.replace("brand = 'Name'", "brnad = 'Acme'"))
        await user.should_see("when: unknown field 'brnad'; did you mean 'brand'?", retries=PATIENT)
        await user.should_see("line 7, column 7")
        user.find(marker="publish").click()
        await user.should_see("First mend what is wrong", retries=PATIENT)
        write(user, WATCH.replace("'Name'", "'Acme'"))
        await user.should_see("the brand is “Acme” and the placement is “home”", retries=PATIENT)
        user.find(marker="fields").type("acme")
        await asyncio.sleep(0.5)
        await user.should_see("its brand", retries=PATIENT)
        user.find(marker="preview").click()
        assert await seen(user, "hits") == "Hits 8 of 8 requests (100.0%)"
        await user.should_see("1 Linen Boxy Knit Top")
        user.find(marker="backtest").click()
        assert await seen(user, "at-fault") == "At fault in 8 of 8 requests (100.0%), 8 items."
        assert await seen(user, "fired") == "Would not have fired"
        user.find(marker="publish").click()
        await user.should_see("Publish no-g1: it is new", retries=PATIENT)
        await user.should_see("+when: brand = 'Acme' and placement = 'home'")
        user.find(marker="confirm").click()
        await user.should_see("Say why", retries=PATIENT)
        user.find(marker="note").type("Acme is not for the home page")
        user.find(marker="confirm").click()
        assert "no-g1 is published" in await seen(user, "sent")
        _land(made, "no-g1")
        await user.should_see(f"by {user_name()}", retries=PATIENT)
        user.find(marker="publish").click()
        await user.should_see("Nothing to publish: this is what is in force.", retries=PATIENT)
        write(user, "")
        await user.should_see("there is no rule in it", retries=PATIENT)

    visit(made.settings, journey)
    assert made.history("no-g1") == [(False, user_name(), "Acme is not for the home page")]


def _land(made: Made, rule: str) -> None:
    """What a worker does with the newest record of a rule."""
    consumer = KafkaConsumer(
        made.settings.topics.rules, bootstrap_servers=made.settings.kafka, auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    )  # fmt: skip
    found = None
    for record in consumer:
        if record.key == rule.encode():
            found = rule_row(record.key, record.value, record.timestamp, record.headers)
            break
    consumer.close()
    assert found is not None
    made.shop.made.sink.write_rules([found])


def test_what_others_did_meanwhile_is_said_and_a_rule_is_disabled(made: Made) -> None:
    made.shop.publish({"id": "shared", "scope": "trace", "when": "total_ms > 500"}, at=made.now_ms - 1_000)

    async def journey(user: User) -> None:
        await user.open("/rules/shared/edit")
        await user.should_see("the time taken in ms is above 500", retries=PATIENT)
        with user:
            (editor,) = user.find(kind=ui.codemirror).elements
            text = str(editor.value)
        write(user, text.replace("500", "700"))
        await user.should_see("the time taken in ms is above 700", retries=PATIENT)
        user.find(marker="publish").click()
        await user.should_see("Publish shared: it changes", retries=PATIENT)
        made.shop.publish({"id": "shared", "scope": "trace", "when": "total_ms > 600"}, at=made.now_ms)
        user.find(marker="note").type("slower is fine")
        user.find(marker="confirm").click()
        await user.should_see("Somebody has published or disabled it meanwhile", retries=PATIENT)
        await user.open("/rules/shared")
        await user.should_see(marker="disable", retries=PATIENT)
        user.find(marker="disable").click()
        user.find(marker="note").type("noise")
        user.find(marker="confirm").click()
        assert "shared is disabled" in await seen(user, "sent")

    visit(made.settings, journey)


def test_kafka_away_is_said_and_nothing_is_lost(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rectrace.producing.ANSWERS_WITHIN", 1.0)

    async def journey(user: User) -> None:
        await user.open("/rules/new")
        text = WATCH.replace("no-g1", "no-kafka")
        write(user, text)
        await user.should_see("Nothing wrong", retries=PATIENT)
        user.find(marker="publish").click()
        await user.should_see("Publish no-kafka: it is new", retries=PATIENT)
        user.find(marker="note").type("to see what happens")
        user.find(marker="confirm").click()
        await user.should_see("no broker answers at 127.0.0.1:1", retries=PATIENT)
        with user:
            (editor,) = user.find(kind=ui.codemirror).elements
            assert editor.value == text
            (note,) = user.find(marker="note", kind=ui.input).elements
            assert note.value == "to see what happens"

    visit(made.settings.model_copy(update={"kafka": "127.0.0.1:1"}), journey)


def test_viewers_try_and_do_not_publish(made: Made) -> None:
    async def journey(user: User) -> None:
        user.http_client.headers["authorization"] = f"Bearer {VIEWER}"
        await user.open("/rules/knit")
        await user.should_see("Publishing and disabling takes an editor", retries=PATIENT)
        await user.should_not_see(marker="disable")
        await user.open("/rules/knit/edit")
        await user.should_see("Publishing takes an editor; you may try everything else.", retries=PATIENT)
        await user.should_see(marker="preview")
        await user.should_not_see(marker="publish")

    visit(made.settings.model_copy(update={"console": Console(token=SecretStr(VIEWER))}), journey)


def test_clickhouse_away_is_said_beside_the_text(made: Made) -> None:
    async def journey(user: User) -> None:
        await user.open("/rules/new")
        await user.should_see("cannot be offered", retries=PATIENT)
        write(user, WATCH)
        await user.should_see("Nothing wrong", retries=PATIENT)
        user.find(marker="preview").click()
        await user.should_see("nothing listens at http://127.0.0.1:1", retries=PATIENT)
        user.find(marker="publish").click()
        await user.should_see("It is not known what is in force", retries=PATIENT)
        with user:
            (editor,) = user.find(kind=ui.codemirror).elements
            assert editor.value == WATCH

    visit(Settings(clickhouse="http://127.0.0.1:1"), journey)
