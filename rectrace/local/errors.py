"""What can go wrong with a local process, said so that a person can act on it."""


class LocalError(Exception):
    """A local process cannot run here. The message names the process, port, path or file, and what to do."""


class PortInUse(LocalError):  # noqa: N818 - reads as what it says
    """Somebody else listens on the port that was asked for."""

    def __init__(self, address: str, option: str = "") -> None:
        hint = f"; choose another port with {option} (0 takes a free one)" if option else ""
        super().__init__(f"{address} is in use by another process{hint}")
        self.address = address
        self.option = option
