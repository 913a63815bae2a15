"""Ask a recommender, look at what it answers, and at how that came about."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from nicegui import ui
from starlette.requests import Request

from rectrace.console import addresses, layout, products, slates, states
from rectrace.console.pages import request as requests
from rectrace.console.products import Product
from rectrace.console.recommending import Outcome, Question, Recommenders
from rectrace.console.slates import Difference
from rectrace.console.trying import RIGHT, Asked, AskedPlacement, Side
from rectrace.terminal import labels, number
from schemas.recommenders import Input, InputError, Item, Recommender, Registry, RegistryInvalid

NOTE: Final = (
    "Asking is a real request: the recommender computes it, and it is in all traces and counts. Who opens this address "
    "asks anew; the link to the request is what stays."
)
_FORM: Final = "w-full items-start gap-x-3 gap-y-2"
_ROW: Final = "w-full flex flex-nowrap gap-3 overflow-x-auto pb-2"
_FIELD: Final = "w-full sm:w-48"


def register(pages: states.Pages) -> None:
    """`/playground`, `/playground?placement=` and `/playground/{recommender}`"""
    asking = Recommenders(pages.settings.playground)

    @ui.page("/playground")
    async def all_of_them(request: Request) -> None:
        placement = request.query_params.get("placement", "")
        with layout.page(request, f"Playground: {placement}" if placement else "Playground", "Playground"):
            if (registry := _registry(asking)) is None:
                return
            if not placement:
                await _browse(registry, asking)
                return
            asked = AskedPlacement.of(registry, request.query_params)
            await _Placement(asked, asking, pages.settings.pipeline.slow).show()

    @ui.page("/playground/{recommender}")
    async def one(request: Request, recommender: str) -> None:
        with layout.page(request, f"Playground: {recommender}", "Playground"):
            if (registry := _registry(asking)) is None:
                return
            found = registry.get(recommender)
            if found is None:
                known = ", ".join(each.id for each in registry.recommenders)
                states.nothing(f"There is no recommender {recommender!r}.", f"There are {known}.")
                return
            ui.label(found.name).classes("text-lg")
            asked = Asked.of(registry, found, request.query_params)
            await _Trial(asked, registry, asking, pages).show()


def _registry(asking: Recommenders) -> Registry | None:
    """None: there is nothing to ask, which the page says."""
    try:
        registry = asking.registry()
    except RegistryInvalid as error:
        states.failure(f"The registry of recommenders cannot be used.\n{error}")
        return None
    if not registry.recommenders:
        states.nothing(
            "No recommender is known here.",
            "playground.registry (RECTRACE_PLAYGROUND__REGISTRY) names a YAML file with those that may be asked, "
            "playground.allowed (RECTRACE_PLAYGROUND__ALLOWED) the addresses at which they may be.",
        )
        return None
    return registry


async def _browse(registry: Registry, asking: Recommenders) -> None:
    ui.label("Ask a recommender, see what it answers, and how that came about.").classes("text-grey")
    if registry.placements:
        with ui.row().classes("items-baseline gap-x-3 gap-y-1"):
            ui.label("All of a page for one user:")
            for placement in registry.placements:
                ui.link(placement, addresses.to("/playground", placement=placement))
    health: list[tuple[Recommender, ui.row]] = []
    with ui.element("div").classes("w-full grid gap-3 grid-cols-[repeat(auto-fill,minmax(min(20rem,100%),1fr))]"):
        for each in registry.recommenders:
            with ui.card().classes("gap-1").props("flat bordered").mark("recommender"):
                address = addresses.to("/playground", each.id)
                ui.link(each.name, address).classes("text-base font-bold").props('role="heading" aria-level="2"')
                ui.label(each.description)
                at = f" at {each.placement}" if each.placement else ""
                ui.label(f"{each.target} → {each.result}{at}").classes("text-grey text-sm")
                asks = [f"{given.name}{'' if given.required else ' (optional)'}" for given in each.inputs]
                ui.label(f"asks for {', '.join(asks)}" if asks else "asks for nothing").classes("text-grey text-sm")
                if choices := _choices(each):
                    ui.label(choices).classes("text-grey text-sm")
                place = ui.row().classes("items-center gap-2 text-sm no-wrap").mark(f"health-{each.id}")
                with place:
                    ui.spinner(size="xs")
                    ui.label("asking for its health …").classes("text-grey")
                health.append((each, place))
    if await _browser():
        await asyncio.gather(*(_health(asking, each, place) for each, place in health))


def _choices(recommender: Recommender) -> str:
    told = [f"version {' or '.join(recommender.versions)}"] if recommender.versions else []
    return "; ".join([*told, *(f"{name} {' or '.join(arms)}" for name, arms in recommender.arms.items())])


async def _health(asking: Recommenders, recommender: Recommender, place: ui.row) -> None:
    well, said = await asking.health(recommender)
    if place.is_deleted:
        return
    place.clear()
    with place:
        icon, colour = {True: ("check_circle", "green"), False: ("error", "red"), None: ("help", "grey")}[well]
        ui.icon(icon, color=colour)
        ui.label(said).classes("break-words min-w-0" + (" text-red-600" if well is False else ""))


async def _browser() -> bool:
    """Whether it is a browser that opened the page: a program that only fetches it asks nobody anything."""
    try:
        await ui.context.client.connected()
    except TimeoutError:
        return False
    return True


class _Form:
    """The inputs, and how they lead to an address."""

    def __init__(self, inputs: Sequence[Input], texts: Mapping[str, str], submit: Callable[[dict[str, str]], None]):
        self._inputs, self._submit = inputs, submit
        self._fields: dict[str, ui.input | ui.select] = {}
        with ui.row().classes(_FORM):
            for each in inputs:
                self._field(each, texts.get(each.name, _default(each)))

    def texts(self) -> dict[str, str]:
        """What is in it."""
        given = {name: str(field.value or "").strip() for name, field in self._fields.items()}
        return {name: text for name, text in given.items() if text}

    def submit(self) -> None:
        """Ask, unless something is wrong: then its field says what."""
        wrong = [name for name, field in self._fields.items() if not field.validate()]
        if not wrong:
            self._submit(self.texts())

    def _field(self, each: Input, text: str) -> None:
        label = f"{each.name} *" if each.required else each.name

        def problem(value: object) -> str | None:
            return _problem(each, str(value or "").strip())

        made: ui.input | ui.select
        if each.type in ("boolean", "choice"):
            options = ["true", "false"] if each.type == "boolean" else list(each.choices or ())
            options = options if text in options or text == "" else [text, *options]
            made = ui.select([*([] if each.required and text else [""]), *options], value=text, label=label)
        else:
            made = ui.input(label, value=text).on("keydown.enter", self.submit)
        made.validation = problem
        made.error = None
        made.classes(_FIELD).props("dense").mark(f"ask-{each.name}")
        if each.description:
            made.props["hint"] = each.description
        self._fields[each.name] = made


def _problem(each: Input, text: str) -> str | None:
    if not text:
        return f"required: {each.wanted}" if each.required else None
    try:
        each.read(text)
    except InputError as error:
        return str(error)
    return None


def _questions(asked: Asked | AskedPlacement) -> list[Question]:
    """What is to be asked now; none where nobody asks yet, or where it cannot be asked so, which the page says."""
    ui.label(NOTE).classes("text-sm text-grey")
    try:
        return asked.questions() if asked.ask else []
    except InputError as error:
        states.nothing(str(error))
        return []


def _default(each: Input) -> str:
    if each.default is None:
        return ""
    return str(each.default).lower() if isinstance(each.default, bool) else str(each.default)


class _Trial:
    """One recommender, or two side by side."""

    def __init__(self, asked: Asked, registry: Registry, asking: Recommenders, pages: states.Pages) -> None:
        self._asked, self._registry, self._asking, self._pages = asked, registry, asking, pages
        self._waiting: list[ui.column] = []  # the journeys' places
        self._compared: ui.column | None = None

    async def show(self) -> None:
        """The form, and what came of it."""
        first = self._asked.sides[0].recommender
        if first.description:
            ui.label(first.description).classes("text-grey")
        self._form = _Form(self._asked.inputs, self._asked.texts, self._submit)
        self._choose()
        with ui.row().classes("items-center gap-3"):
            ui.button("Ask", icon="play_arrow", on_click=self._form.submit).props("dense no-caps").mark("submit")
            if first.placement:
                link = addresses.to("/playground", placement=first.placement)
                ui.link(f"all of {first.placement} for one user", link)
        questions = _questions(self._asked)
        if questions:
            await self._answers(questions)

    def _submit(self, texts: dict[str, str]) -> None:
        ui.navigate.to(replace(self._asked, texts=texts, ask=True).address)

    def _choose(self) -> None:
        """Version and arms of each side, and what stands beside."""
        with ui.row().classes(_FORM):
            for number_, side in enumerate(self._asked.sides):
                self._choices(number_, side)
            options = {"": "nothing", **{each.id: each.name for each in self._registry.recommenders}}
            beside = self._asked.sides[1].recommender.id if len(self._asked.sides) > 1 else ""
            made = ui.select(
                options, value=beside, label="side by side with", on_change=lambda e: self._beside(e.value)
            )
            made.classes(_FIELD).props("dense").mark("right")

    def _choices(self, which: int, side: Side) -> None:
        above = f"{RIGHT}." if which else ""
        where = "right: " if which else "left: " if len(self._asked.sides) > 1 else ""

        def chosen(name: str, value: str) -> None:
            query = {key: text for key, text in {**side.query(), name: value}.items() if text}
            changed = Side.of(side.recommender, query)
            sides = tuple(changed if number_ == which else each for number_, each in enumerate(self._asked.sides))
            self._change(sides)

        known = {"version": side.recommender.versions or (), **side_arms(side)}
        for name, options in known.items():
            if options:
                value = side.query().get(name, "")
                label = f"{where}{name.removeprefix('arm.')}"
                made = ui.select(
                    {"": "as usual", **{each: each for each in options}}, value=value, label=label,
                    on_change=lambda e, name=name: chosen(name, e.value),
                )  # fmt: skip
                made.classes("w-36").props("dense").mark(f"ask-{above}{name}")

    def _beside(self, name: str) -> None:
        found = self._registry.get(name)
        self._change((self._asked.sides[0], *([Side(found)] if found else [])))

    def _change(self, sides: tuple[Side, ...]) -> None:
        """The form with other choices: nothing is asked yet."""
        ui.navigate.to(replace(self._asked, sides=sides, texts=self._form.texts(), ask=False).address)

    async def _answers(self, questions: Sequence[Question]) -> None:
        beside = len(questions) > 1
        self._compared = ui.column().classes("w-full")
        grid = "w-full grid gap-4" + (" grid-cols-1 md:grid-cols-2" if beside else "")
        tops: list[ui.column] = []
        with ui.element("div").classes(grid):
            for number_ in range(len(questions)):
                top = ui.column().classes("w-full min-w-0 gap-3").mark(f"side-{number_}")
                tops.append(top)
        with ui.element("div").classes(grid):
            self._waiting = [ui.column().classes("w-full min-w-0 gap-3") for _ in questions]
        for side, top in zip(self._asked.sides, tops, strict=True):
            with top:
                states.waiting(f"Asking {side.title} … it is given {self._pages.settings.playground.timeout:g} s.")
        if not await _browser():
            return
        outcomes: list[Outcome | None] = [None] * len(questions)

        async def one(which: int, question: Question) -> None:
            outcome = await self._asking.ask(question)
            outcomes[which] = outcome
            self._slates(outcomes, tops)
            await self._journey(outcome, self._waiting[which], self._asked.sides[which].title if beside else "")

        await asyncio.gather(*(one(which, question) for which, question in enumerate(questions)))

    def _slates(self, outcomes: Sequence[Outcome | None], tops: Sequence[ui.column]) -> None:
        """What has been answered by now, with what differs once both have."""
        told = [_items(outcome) for outcome in outcomes if outcome and outcome.answer]
        difference = slates.compare(told[0], told[1]) if len(told) == 2 else None
        for which, (outcome, top) in enumerate(zip(outcomes, tops, strict=True)):
            if outcome is not None and not top.is_deleted:
                top.clear()
                with top:
                    _head(self._asked.sides[which].title, outcome, self._pages.settings.pipeline.slow)
                    if outcome.answer:
                        _slate(outcome.answer.items, products.GRID, _Marks(difference, left=which == 0))
        if difference and self._compared and not self._compared.is_deleted:
            self._compared.clear()
            with self._compared, states.card("grey"):
                ui.label(difference.sentence()).mark("difference")

    async def _journey(self, outcome: Outcome, place: ui.column, which: str) -> None:
        """which: the side, where there are two."""
        if outcome.state == "not allowed" or place.is_deleted:
            return
        wait = self._pages.settings.playground.wait
        with place:
            layout.section(f"How it came about{f': {which}' if which else ''}")

            def shown(journey: requests.Journey | None) -> None:
                if journey is None:
                    states.nothing(
                        f"Nothing has landed of request {outcome.trace_id} within {wait:g} s.",
                        f"Does this recommender publish its stages with the id that comes in the header, and does a "
                        f"worker run? {_later(outcome)}",
                    )
                else:
                    requests.in_short(journey, drawn=not which)
                ui.link("all that is known of it", addresses.request(outcome.trace_id)).mark("journey")

            await self._pages.show(
                f"Waiting for its stages to land, for up to {wait:g} s",
                lambda reader: requests.ask(reader, outcome.trace_id),
                shown,
                enough=lambda journey: journey is not None and journey.told.story.responded,
                wait=wait,
            )


def side_arms(side: Side) -> dict[str, tuple[str, ...]]:
    """The arms of each experiment, by the name of their parameter."""
    return {f"arm.{name}": arms for name, arms in side.recommender.arms.items()}


def _later(outcome: Outcome) -> str:
    return "It did not answer as it should, which may be why." if outcome.state != "ok" else "It may still come."


class _Placement:
    """All carousels of a page, as it would show them."""

    def __init__(self, asked: AskedPlacement, asking: Recommenders, slow_s: float) -> None:
        self._asked, self._asking, self._slow_s = asked, asking, slow_s

    async def show(self) -> None:
        """The form, and what came of it."""
        named = ", ".join(each.name for each in self._asked.recommenders)
        ui.label(f"What {self._asked.placement} shows: {named}.").classes("text-grey")
        form = _Form(self._asked.inputs, self._asked.texts, self._submit)
        ui.button("Ask all", icon="play_arrow", on_click=form.submit).props("dense no-caps").mark("submit")
        questions = _questions(self._asked)
        places = [ui.column().classes("w-full gap-2").mark(f"carousel-{each.recommender.id}") for each in questions]
        for question, place in zip(questions, places, strict=True):
            with place:
                states.waiting(f"Asking {question.recommender.name} …")
        if questions and await _browser():
            await asyncio.gather(*(self._one(*each) for each in zip(questions, places, strict=True)))

    async def _one(self, question: Question, place: ui.column) -> None:
        outcome = await self._asking.ask(question)
        if place.is_deleted:
            return
        place.clear()
        with place:
            address = Asked((Side(question.recommender),), self._own(question.recommender), True).address
            _head(question.recommender.name, outcome, self._slow_s, address)
            if outcome.answer:
                _slate(outcome.answer.items, _ROW, _Marks(None, left=True))

    def _own(self, recommender: Recommender) -> dict[str, str]:
        names = {each.name for each in recommender.inputs}
        return {name: text for name, text in self._asked.texts.items() if name in names}

    def _submit(self, texts: dict[str, str]) -> None:
        ui.navigate.to(replace(self._asked, texts=texts, ask=True).address)


def _head(title: str, outcome: Outcome, slow_s: float, alone: str = "") -> None:
    """What came of it; alone: the address that asks this one alone."""
    answer = outcome.answer
    slow = answer is not None and outcome.took_ms > slow_s * 1000
    colour = "red" if answer is None else "grey" if slow or outcome.warnings or not answer.items else "green"
    with states.card(colour):
        with ui.row().classes("items-baseline gap-x-3 gap-y-0"):
            if alone:
                ui.link(title, alone).classes("text-base font-bold")
            else:
                ui.label(title).classes("text-base font-bold")
            took = f" after {outcome.took_ms:,.0f} ms" if outcome.took_ms >= 0 else ""
            many = f"{len(answer.items)} items" if answer and answer.items else "nothing recommended"
            ui.label(f"{many if answer else outcome.state}{took}{', slow' if slow else ''}").mark("status")
        for warning in [outcome.said] if outcome.said else outcome.warnings:
            ui.label(warning).classes("text-red-600 whitespace-pre-line break-words")
        if answer:
            facts = [f"at {answer.placement}" if answer.placement else "",
                     f"version {answer.version}" if answer.version else "", labels(answer.arms)]  # fmt: skip
            if any(facts):
                ui.label(" · ".join(filter(None, facts))).classes("text-grey text-sm")
        elif outcome.answered:
            ui.label("What was answered:").classes("text-sm text-grey")
            ui.label(outcome.answered).classes("font-mono text-xs whitespace-pre-wrap break-all").mark("answered")
        if outcome.state != "not allowed":
            ui.link(f"request {outcome.trace_id}", addresses.request(outcome.trace_id)).classes("text-sm break-all")


def _items(outcome: Outcome) -> list[str]:
    return [each.item for each in outcome.answer.items] if outcome.answer else []


class _Marks:
    """What to say on a card of how it differs from the other side."""

    def __init__(self, difference: Difference | None, *, left: bool) -> None:
        self._difference, self._left = difference, left

    def on(self, item: str) -> None:
        """Into the card that is being built."""
        told = self._difference
        if told is None:
            return
        if item not in told.moves:
            ui.label("only here").classes("text-xs rounded px-1 bg-amber-500/20")
        elif moved := told.moves[item] * (-1 if self._left else 1):
            arrow, colour = products.places(moved)
            ui.label(f"{arrow} against {'right' if self._left else 'left'}").classes(f"text-xs {colour}")


def _slate(items: Sequence[Item], classes: str, marks: _Marks) -> None:
    with (
        ui.element("div")
        .classes(classes)
        .props('tabindex="0" role="group" aria-label="products"' if classes == _ROW else "")
    ):
        for position, each in enumerate(items, 1):
            product = Product(position, each.item, each.title, each.brand, each.category, each.price)
            with products.card(product, addresses.to("/items", each.item)) as card:
                if each.score is not None:
                    ui.label(f"score {number(each.score, 3)}").classes("text-xs text-grey")
                marks.on(each.item)
            if classes == _ROW:
                card.classes("w-36 shrink-0")
