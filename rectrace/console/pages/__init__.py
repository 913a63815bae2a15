"""The pages: they ask readers and lay out what the stories tell."""

from rectrace.console.asking import Asker
from rectrace.console.pages import item, playground, request, requests, search
from rectrace.console.states import Pages
from rectrace.settings import Settings


def register(settings: Settings, asker: Asker) -> None:
    """Give every page its address."""
    pages = Pages(settings, asker)
    for each in (search, requests, request, item, playground):
        each.register(pages)
