"""What do the arms of experiments do to users, and are they who was planned?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import slicing_asked
from rectrace.changed_facts import NONE, p95
from rectrace.changed_metrics import Metric
from rectrace.changed_story import value as in_unit
from rectrace.console import addresses, layout, states, tables, times
from rectrace.console.addresses import BadAddress, Span
from rectrace.console.pages.segments import said, settled, source
from rectrace.console.tables import Column, View
from rectrace.experiment_story import CONTROL, Comparison, Split, by_chance, comparisons, control_of, judged, split
from rectrace.slicing import FAMILY, FEW, METRICS, SEALED, TRACED, slices
from rectrace.slicing_asked import Source, kept, shown
from schemas.parts import WINDOW_S
from sinks.clickhouse import chosen
from sinks.clickhouse.changes import Times
from sinks.clickhouse.reader import STATUSES, Reader
from sinks.clickhouse.slices import EXPERIMENT, MOST, OTHERS, PLACEMENT, Family, Slices, Within, by_one, names

_NO_VALUE: Final = (NONE, OTHERS)
DAY: Final = timedelta(days=1)  # users are counted of so long, as the alert does
_LEFT_OUT: Final = ("requests",)  # of the metrics: how many there are is the split
_LIST: Final = (
    Column("experiment", "experiment", linked=True),
    Column("arms", "arms", wide=10),
    Column("requests", "requests", digits=0),
    Column("users", "users in a day", digits=0),
    Column("split", "split of users"),
)
_ARMS: Final = (
    Column("arm", "arm"),
    Column("requests", "requests", digits=0, linked=True),
    Column("share", "of all, %", digits=1),
    Column("users", "users in a day", digits=0),
    Column("users_share", "of all, %", digits=1),
    Column("planned", "planned, %", digits=1),
    Column("sample", "sample", state=True),
)


@dataclass(frozen=True)
class Asked:
    """The whole state of a page. metric and by: of the slices; by is empty for none."""

    name: str
    span: Span
    placement: str
    control: str
    metric: str
    by: str
    view: View

    @classmethod
    def of(cls, name: str, query: Mapping[str, str], now: datetime) -> "Asked":
        """From the page's address. Raises BadAddress."""
        metric = query.get("metric") or "empty"
        allowed = [each for each in METRICS if each not in _LEFT_OUT]
        if metric not in allowed:
            raise BadAddress(f"metric={metric!r} is none of {', '.join(allowed)}")
        placement, control, by = (query.get(each, "").strip() for each in ("placement", "control", "by"))
        return cls(name, addresses.span(query, now), placement, control, metric, by, View.of(query))

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        query = {
            "placement": self.placement,
            "control": self.control,
            "metric": "" if self.metric == "empty" else self.metric,
            "by": self.by,
            "sort": self.view.sort,
            "find": self.view.find,
        }
        return addresses.to("/experiments", *filter(None, [self.name]), **{**query, **time})

    @property
    def address(self) -> str:
        """Of this very view."""
        return self.at(self.span.query)


@dataclass(frozen=True)
class _Arms:
    """Requests by arm of each experiment, its split of users, and comparisons of what sealed windows have."""

    span: slicing_asked.Span
    requests: dict[str, dict[str, float]]
    splits: dict[str, Split]
    control: str
    told: list[Comparison]
    things: list[str]
    limit: float


def register(pages: states.Pages) -> None:
    """`/experiments` and `/experiments/{name}`"""

    @ui.page("/experiments")
    async def experiments(request: Request) -> None:
        with layout.page(request, "Experiments", "Experiments"):
            now = datetime.now(UTC)
            asked = Asked.of("", request.query_params, now)
            times.chooser(asked.span, asked.at)
            await pages.show(
                "Looking for experiments",
                lambda reader: _ask(pages, reader, asked, now),
                lambda found: _list(asked, found),
            )

    @ui.page("/experiments/{name:path}")
    async def one(request: Request, name: str) -> None:
        with layout.page(request, f"Experiment {name}", "Experiments"):
            now = datetime.now(UTC)
            asked = Asked.of(name, request.query_params, now)
            times.chooser(asked.span, asked.at)
            _form(asked)
            held: list[_Arms] = []

            def arms(reader: Reader) -> _Arms:
                found = _ask(pages, reader, asked, now)
                held.append(found)
                return found

            await pages.show("Counting arms", arms, lambda found: _one(asked, found))
            if not held or len(held[0].requests.get(name, {})) < 2:
                return
            found = held[0]
            await pages.show(
                "Comparing the arms",
                lambda reader: _traced(pages, reader, asked, found, now),
                lambda told: _compared(asked, found, told),
            )
            await pages.show(
                "Slicing the arms", lambda reader: _sliced(pages, reader, asked, found, now),
                lambda told: _slices(asked, found, told),
            )  # fmt: skip


def _ask(pages: states.Pages, reader: Reader, asked: Asked, now: datetime) -> _Arms:
    where = source(pages, reader, now)
    span = settled(where, asked.span)
    rows = Slices(reader, where.database, span.times, Within(asked.placement)).sealed("segment")
    seen = [each.removeprefix(EXPERIMENT) for each in names(rows) if each.startswith(EXPERIMENT)]
    requests = {
        each: {row["element"]: float(row["requests"]) for row in by_one(rows, EXPERIMENT + each) if row["is_now"]}
        for each in seen
    }
    requests = {each: arms for each, arms in requests.items() if arms}
    users = _users(where, span.times, [asked.name] if asked.name else list(requests))
    plans = pages.settings.experiments
    splits = {each: split(users.get(each, {}), plans.get(each)) for each in requests}
    total = next((row for row in rows if row["element"] == "" and row["is_now"] and row["responded"]), None)
    limit = p95(total) if total else 0.0
    control, told = "", []
    if mine := requests.get(asked.name):
        control = control_of(mine, plans.get(asked.name), asked.control)
        of_mine = by_one(rows, EXPERIMENT + asked.name)
        for metric in SEALED.values():
            if metric.name not in _LEFT_OUT:
                told += comparisons(metric, slices(of_mine, metric, limit), control)
    things = [each for each in (*names(rows), PLACEMENT) if each != EXPERIMENT + asked.name]
    return _Arms(span, requests, splits, control, told, things, limit)


def _users(where: Source, span: Times, experiments: Sequence[str]) -> dict[str, dict[str, int]]:
    """By experiment and arm, of the day up to the end of the time, as far as all traces of it are kept."""
    since = max(span.until - DAY, where.whole_since)
    told = {"first": since, "last": span.until - timedelta(seconds=WINDOW_S), "experiments": list(experiments)}
    found: dict[str, dict[str, int]] = {}
    for row in where.reader.ask("alert_arms", told):
        found.setdefault(row["experiment"], {})[row["arm"]] = row["uniqExact(user_id)"]
    return found


def _traced(pages: states.Pages, reader: Reader, asked: Asked, found: _Arms, now: datetime) -> list[Comparison] | None:
    """Of what only traces tell; None where none of that time are kept."""
    where = source(pages, reader, now)
    held, _ = kept(found.span.times, where.whole_since)
    if held is None:
        return None
    asking = Slices(reader, where.database, held, Within(asked.placement))
    requests = sum(found.requests[asked.name].values())
    told: list[Comparison] = []
    for family, metrics in TRACED.items():
        rows = _by_first(asking.traced(family, EXPERIMENT + asked.name, "", requests))
        for metric in metrics:
            told += comparisons(metric, slices(rows, metric, found.limit), found.control)
    return told


def _sliced(pages: states.Pages, reader: Reader, asked: Asked, found: _Arms, now: datetime) -> list[Comparison] | None:
    """One metric by arm and another thing; None where no traces are kept."""
    if asked.by not in found.things:
        return []
    where = source(pages, reader, now)
    held, _ = kept(found.span.times, where.whole_since)
    if held is None:
        return None
    asking = Slices(reader, where.database, held, Within(asked.placement))
    metric, requests = METRICS[asked.metric], sum(found.requests[asked.name].values())
    rows = asking.traced(FAMILY[metric.name], EXPERIMENT + asked.name, asked.by, requests)
    return judged(comparisons(metric, slices(rows, metric, found.limit), found.control))


def _by_first(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "element": row["first"]} for row in rows]


def _form(asked: Asked) -> None:
    fields: dict[str, ui.input] = {}

    def search() -> None:
        given = {name: str(field.value or "").strip() for name, field in fields.items()}
        changed = replace(asked, placement=given["placement"], control=given["control"])
        ui.navigate.to(changed.at({name: given[name] for name in ("from", "to")}))

    told = {
        "placement": asked.placement, "control": asked.control,
        "from": asked.span.given_from, "to": asked.span.given_to,
    }  # fmt: skip
    with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
        for name, text in told.items():
            fields[name] = ui.input(name, value=text).on("keydown.enter", search)
            fields[name].classes("w-36").props("dense").mark(f"ask-{name}")
        ui.button("Show", icon="search", on_click=search).props("dense no-caps")


def _list(asked: Asked, found: _Arms) -> None:
    if not found.requests:
        states.nothing(
            "No request was in an experiment in that time.",
            'Request events name experiments and arms: "experiments": {"ranker": "v2"}. A longer time may have some.',
        )
        return
    rows = [
        {
            "experiment": name,
            "experiment_href": replace(asked, name=name, view=View()).address,
            "arms": ", ".join(f"{arm} ({count / sum(arms.values()):.0%})" for arm, count in sorted(arms.items())),
            "requests": sum(arms.values()),
            "users": found.splits[name].total,
            "split": found.splits[name].state,
        }
        for name, arms in found.requests.items()
    ]
    tables.table("experiments", _LIST, rows, asked.view, lambda view: replace(asked, view=view).address)
    ui.label(
        "split of users: whether the arms have the users that the setting experiments plans for them (chi-square over "
        "distinct users of the last day of the time, p < 0.0001, as it is looked at again and again)."
    ).classes("text-grey text-sm")


def _one(asked: Asked, found: _Arms) -> None:
    arms = found.requests.get(asked.name)
    if not arms:
        there = ", ".join(found.requests) or "none"
        states.nothing(f"No request was in an experiment {asked.name!r} in that time.", f"There was {there}.")
        return
    told = found.splits[asked.name]
    colour = {"mismatch": "red", "fits": "green"}.get(told.state, "grey")
    with states.card(colour):
        ui.label(told.says).classes("text-lg").mark("split")
        times_ = found.span.times
        ui.label(
            f"Requests sealed {times_.since:%Y-%m-%d %H:%M:%S} to {times_.until:%Y-%m-%d %H:%M:%S} UTC"
            f"{f' at {asked.placement}' if asked.placement else ''}; users of the day up to then, at any placement."
        ).classes("text-grey")
    layout.section("Arms")
    tables.small("arms", _ARMS, [_arm(asked, found, told, arm) for arm in sorted({*arms, *told.users, *told.planned})])
    if len(arms) < 2:
        states.nothing("One arm alone cannot be compared.", "A longer time, or another placement, may have the others.")


def _arm(asked: Asked, found: _Arms, told: Split, arm: str) -> dict[str, Any]:
    requests, users = found.requests[asked.name], told.users.get(arm, 0)
    mine, planned = requests.get(arm, 0.0), told.planned.get(arm)
    return {
        "arm": f"{arm} (control)" if arm == found.control != CONTROL else arm,
        "requests": mine,
        "requests_href": _requests(asked, arm),
        "share": mine / sum(requests.values()) * 100,
        "users": users,
        "users_share": users / told.total * 100 if told.total else None,
        "planned": planned * 100 if planned is not None else None,
        "sample": "few requests" if mine < FEW else "ok",
    }


def _requests(asked: Asked, arm: str, metric: Metric | None = None, value: str = "") -> str:
    where = {"placement": asked.placement, "arm": chosen.joined([(asked.name, arm)])}
    if value:
        if asked.by == PLACEMENT:
            where["placement"] = value
        elif asked.by.startswith(EXPERIMENT):
            where["arm"] = chosen.joined([(asked.name, arm), (asked.by.removeprefix(EXPERIMENT), value)])
        else:
            where["segment"] = chosen.joined([(asked.by, value)])
    status = metric.status if metric and metric.status in STATUSES else ""
    return addresses.to("/requests", **where, status=status, **asked.span.query)


def _compared(asked: Asked, found: _Arms, traced: list[Comparison] | None) -> None:
    layout.section(f"Against {found.control}")
    told = judged([*found.told, *(traced or [])])
    ui.label(by_chance(told)).mark("looks")
    if traced is None:
        ui.label("Of that time no traces are kept: what only they tell is left out.").classes("text-grey")
    columns = (
        Column("what", "metric", wide=9), Column("arm", "arm"), Column("control", found.control),
        Column("mine", "it is"), Column("differs", "differs by"), Column("interval", "95 % interval"),
        Column("verdict", "verdict", state=True), Column("requests", "requests", linked=True),
    )  # fmt: skip
    tables.small("metrics", columns, [_metric(asked, each) for each in told])
    sampled = {family: most for family, most in MOST.items() if sum(found.requests[asked.name].values()) > 2 * most}
    ui.label(_meaning(sampled)).classes("text-grey text-sm")


def _meaning(sampled: Mapping[Family, int]) -> str:
    told = (
        "Intervals: Wilson's of shares, and of their difference Newcombe's; of what one request has many of, such as "
        "clicks, a request counts as four trials; of means they take a standard deviation of half the mean. The "
        "verdict of the latency is about the share of requests above the p95 of all."
    )
    if sampled:
        read = ", ".join(f"{family} of about {most:,}" for family, most in sampled.items())
        told += f" Read from samples of requests: {read}."
    return told


def _metric(asked: Asked, each: Comparison) -> dict[str, Any]:
    status = each.metric.status if each.metric.status in STATUSES else ""
    return {
        "what": each.metric.says,
        "arm": each.arm,
        "control": in_unit(each.metric, each.control),
        "mine": in_unit(each.metric, each.mine),
        "differs": _differs(each.metric, each.differs),
        "interval": " to ".join(_differs(each.metric, bound) for bound in each.interval) if each.interval else "-",
        "verdict": each.verdict,
        "requests": f"{status} requests".strip(),
        "requests_href": _requests(asked, each.arm, each.metric),
    }


def _differs(metric: Metric, difference: float) -> str:
    if metric.kind == "latency":
        return f"{difference:+,.0f} ms"
    return f"{difference:+.2f}" if metric.kind == "mean" else f"{difference * 100:+.2f} points"


def _slices(asked: Asked, found: _Arms, told: list[Comparison] | None) -> None:
    layout.section("By segment")
    _slice_form(asked, found)
    if not asked.by:
        states.nothing("Arms can be compared within segments.", "Choose what to slice by.")
        return
    if asked.by not in found.things:
        states.nothing(
            f"No request says anything of {asked.by!r} in that time.", f"There is {', '.join(found.things)}."
        )
        return
    if not told:
        why = "Of that time no traces are kept." if told is None else "Nothing to compare: no value has two arms."
        states.nothing(why, "Another time may have some.")
        return
    ui.label(f"Many looks: {by_chance(told)}").classes("font-medium").mark("slice-looks")
    scale = 100.0 if METRICS[asked.metric].kind == "share" else 1.0
    unit = {"share": ", points", "latency": ", ms"}.get(METRICS[asked.metric].kind, "")
    columns = (
        Column("value", shown(asked.by)), Column("arm", "arm"), Column("control", found.control),
        Column("mine", "it is"), Column("differs", f"differs by{unit}", digits=2), Column("low", "from", digits=2),
        Column("high", "to", digits=2), Column("verdict", "verdict", state=True),
        Column("requests", "requests", digits=0, linked=True),
        Column("requests_control", f"of {found.control}", digits=0),
    )  # fmt: skip
    ordered = sorted(told, key=lambda each: (each.few, -abs(each.z)))
    rows = [
        {
            "value": each.value, "arm": each.arm,
            "control": said(asked.metric, each.control.value), "mine": said(asked.metric, each.mine.value),
            "differs": each.differs * scale,
            "low": each.interval.low * scale if each.interval else None,
            "high": each.interval.high * scale if each.interval else None,
            "verdict": each.verdict, "requests": each.requests[0], "requests_control": each.requests[1],
            "requests_href": _requests(asked, each.arm, each.metric, each.value) if each.value not in _NO_VALUE else "",
        }
        for each in ordered
    ]  # fmt: skip
    tables.table("slices", columns, rows, asked.view, lambda view: replace(asked, view=view).address)


def _slice_form(asked: Asked, found: _Arms) -> None:
    with ui.row().classes("w-full items-center gap-x-3 gap-y-1"):
        options = {name: metric.says for name, metric in METRICS.items() if name not in _LEFT_OUT}
        ui.select(
            options, value=asked.metric, label="metric",
            on_change=lambda event: ui.navigate.to(replace(asked, metric=event.value, view=View()).address),
        ).classes("w-64 max-w-full").props("dense").mark("ask-metric")  # fmt: skip
        ui.label("by").classes("text-grey")
        for each in found.things:
            link = ui.link(shown(each), replace(asked, by=each, view=View()).address)
            link.classes("font-bold no-underline" if each == asked.by else "")
