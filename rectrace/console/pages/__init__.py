"""The pages: they ask readers and lay out what the stories tell."""

from rectrace.console.asking import Asker
from rectrace.console.pages import item, request, requests, rule, rules, search
from rectrace.console.states import Pages
from rectrace.settings import Settings


def register(settings: Settings, asker: Asker) -> None:
    """Give every page its address."""
    pages = Pages(settings, asker)
    for each in (search, requests, request, item, rules, rule):
        each.register(pages)
