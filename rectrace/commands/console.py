"""`rectrace console`."""

import importlib.util
import logging
from typing import Annotated

import typer

from rectrace.commands.common import ClickHouse, clear_errors, fail, load


def console(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Default: 8080. 0: a free one.")] = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Serve the web console: requests, items, and why they are shown or not.

    Elsewhere than on loopback it needs a token (RECTRACE_CONSOLE__TOKEN) or a proxy that signs people in.
    """
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load(clickhouse=clickhouse, console=given or None)
    if importlib.util.find_spec("nicegui") is None:
        fail("`rectrace console` needs its pages: pip install 'rectrace[console]'", code=2)
    from rectrace.console import server
    from rectrace.local.errors import LocalError

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with clear_errors(settings):
        try:
            raise typer.Exit(server.run(settings))
        except LocalError as error:
            fail(str(error))
