"""The pages: they ask readers and lay out what the stories tell."""

from rectrace.console.asking import Asker
from rectrace.console.pages import (
    alert,
    alerts,
    compare,
    different,
    experiments,
    item,
    live,
    playground,
    request,
    requests,
    rule,
    rule_edit,
    rules,
    search,
    segments,
)
from rectrace.console.states import Pages
from rectrace.settings import Settings


def register(settings: Settings, asker: Asker) -> None:
    """Give every page its address."""
    pages = Pages(settings, asker)
    for each in (
        live, search, requests, request, compare, item, segments, different, experiments, rules, rule_edit, rule,
        alerts, alert, playground,
    ):  # fmt: skip
        each.register(pages)
