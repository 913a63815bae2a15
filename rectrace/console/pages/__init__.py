"""The pages: they ask readers and lay out what the stories tell."""

from rectrace.console.asking import Asker
from rectrace.console.pages import item, request, requests, rule, rule_edit, rules, search
from rectrace.console.states import Pages
from rectrace.settings import Settings


def register(settings: Settings, asker: Asker) -> None:
    """Give every page its address."""
    pages = Pages(settings, asker)
    for each in (search, requests, request, item, rules, rule_edit, rule):
        each.register(pages)
