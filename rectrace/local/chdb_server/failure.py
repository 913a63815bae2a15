"""Errors, told the way a ClickHouse server tells them."""

import re

UNKNOWN_EXCEPTION = 1002
_BAD_REQUEST = (6, 25, 26, 27, 38, 41, 53, 62, 72, 115, 117, 167, 168, 223, 441, 457)
_NOT_FOUND = (46, 47, 60, 81, 372)
_STATUS = dict.fromkeys(_BAD_REQUEST, 400) | dict.fromkeys(_NOT_FOUND, 404) | {48: 501, 159: 408, 497: 403, 516: 403}
_REPEATED = re.compile(r"^(Code: \d+\. DB::Exception: )(?=Code: )")
_CODE = re.compile(r"Code: (\d+)\.")


class Failure(Exception):  # noqa: N818 - what a client gets is called an exception by the protocol
    """An error for the client: its text begins with `Code: N. DB::Exception: `."""

    def __init__(self, text: str) -> None:
        text = _REPEATED.sub("", text[max(text.find("Code: "), 0) :].strip())
        found = _CODE.match(text)
        self.code = int(found[1]) if found else UNKNOWN_EXCEPTION
        super().__init__(text if found else f"Code: {self.code}. DB::Exception: {text} (UNKNOWN_EXCEPTION)")

    @property
    def status(self) -> int:
        """The HTTP status that a server gives with this code."""
        return _STATUS.get(self.code, 500)


def failure(code: int, text: str, name: str) -> Failure:
    """An error of our own, with the code and name that a server would give."""
    return Failure(f"Code: {code}. DB::Exception: {text} ({name})")
