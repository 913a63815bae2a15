"""LIKE patterns and regular expressions: Rust's engine, linear in the text whatever the pattern."""

import polars as pl


def complaint(pattern: str) -> str:
    """Why the engine will not take a regular expression; empty if it does."""
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        lines = str(error).split("This error occurred")[0].strip().splitlines()
        return lines[-1].removeprefix("regex error: ").removeprefix("error: ").rstrip(".")
    return ""


def like_regex(pattern: str, *, ignore_case: bool) -> str:
    """The regular expression that means the same: % is any text, _ one character, a backslash takes that away."""
    return f"(?s{'i' if ignore_case else ''})^{''.join(_regex_of(kind, text) for kind, text in _tokens(pattern))}$"


def like_plain(pattern: str) -> tuple[str, str] | None:
    """("equals" | "starts" | "ends" | "contains", text) where that is all the pattern says, which is faster."""
    tokens = _tokens(pattern)
    inner = [text for kind, text in tokens if kind == "text"]
    shape = "".join("%" if kind == "%" else "t" if kind == "text" else "_" for kind, _ in tokens)
    kinds = {"t": "equals", "": "equals", "t%": "starts", "%t": "ends", "%t%": "contains"}
    return (kinds[shape], "".join(inner)) if shape in kinds else None


def _tokens(pattern: str) -> list[tuple[str, str]]:
    """%, _ and the pieces of text between them; runs of % are one."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and pattern[at + 1 : at + 2] in ("%", "_", "\\"):
            character, at = pattern[at + 1], at + 1
            kind = "text"
        else:
            kind = character if character in "%_" else "text"
        if tokens and tokens[-1][0] == kind != "_":
            tokens[-1] = (kind, tokens[-1][1] + character if kind == "text" else "%")
        else:
            tokens.append((kind, character))
        at += 1
    return tokens


def _regex_of(kind: str, text: str) -> str:
    if kind == "text":
        return "".join(f"\\x{{{ord(each):x}}}" if not each.isalnum() else each for each in text)
    return ".*" if kind == "%" else "."
