"""Cards of products: what was served, or recommended."""

from dataclasses import dataclass

from nicegui import ui

GRID = "w-full grid gap-3 grid-cols-[repeat(auto-fill,minmax(9rem,1fr))]"


@dataclass(frozen=True)
class Product:
    """What a card says of one item, whatever else is on it. position: from 1 on."""

    position: int
    item: str
    title: str | None = None
    brand: str | None = None
    category: str | None = None
    price: float | None = None


def card(product: Product, address: str) -> ui.card:
    """The card of an item, that leads to an address; what else is to be said of it goes into it."""
    made = ui.card().classes("gap-1 p-3").props("flat bordered").mark("product")
    with made:
        with ui.row().classes("w-full justify-between items-baseline no-wrap"):
            ui.label(f"{product.position}").classes("text-lg font-bold")
            ui.link(product.item, address).classes("break-all text-sm")
        ui.label(product.title or "(no title known)").classes("font-medium leading-tight")
        price = f"{product.price:,.2f}" if product.price is not None else ""
        if facts := " · ".join(filter(None, [product.brand, product.category, price])):
            ui.label(facts).classes("text-xs text-grey")
    return made


def places(moved: int) -> tuple[str, str]:
    """An arrow with so many places, and its colour: up above 0, down below."""
    arrow = f"↑{moved}" if moved > 0 else f"↓{-moved}" if moved < 0 else ""
    return arrow, "text-green-700" if moved > 0 else "text-amber-700" if moved < 0 else ""
