"""JSON whose errors name the line.

The standard library's decoder tells lines of broken syntax only; here every member
of the document and of its lists knows its own line too.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from drum2midi.errors import InputError


@dataclass(frozen=True)
class Line:
    """A value of a JSON document and where it stands.

    Attributes
    ----------
    path : Path
    text : str
        The whole document.
    at : int
        Where in the text the value begins.
    value : object
    """

    path: Path
    text: str
    at: int
    value: Any

    @property
    def number(self) -> int:
        """The line, from 1."""
        return self.text.count("\n", 0, self.at) + 1

    def error(self, reason: str) -> InputError:
        """An error that names the file and the line."""
        return InputError(f"{self.path}, line {self.number}: {reason}")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder(parse_constant=_no_number)


@contextmanager
def as_text(path: Path) -> Iterator[None]:
    """Turn what reading `path` as text or CSV fails with into an `InputError` that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start + 1})") from None
    except csv.Error as error:
        raise InputError(f"{path}: not CSV ({error})") from None


def read_json(path: Path) -> tuple[Any, dict[str, Line]]:
    """Read a file; each field of an object comes with its line, a list as the field "".

    Raises
    ------
    InputError
        If the file cannot be read or is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    try:
        document = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line 1: not JSON that can be read ({error})") from None
    start = _skip(text, 0)
    if not isinstance(document, dict):
        return document, {"": Line(path, text, start, document)}
    return document, dict(_fields(path, text, start))


def read_array(line: Line) -> Iterator[Line]:
    """The members of a list, each with its line.

    Raises
    ------
    InputError
        If the value is no list.
    """
    if not isinstance(line.value, list):
        raise line.error("not a list")
    at = _skip(line.text, line.at + 1)
    while line.text[at] != "]":
        value, end = _DECODER.raw_decode(line.text, at)
        yield Line(line.path, line.text, at, value)
        at = _next(line.text, end)


def _fields(path: Path, text: str, start: int) -> Iterator[tuple[str, Line]]:
    at = _skip(text, start + 1)
    while text[at] != "}":
        name, end = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, end) + 1)  # over the colon
        value, end = _DECODER.raw_decode(text, at)
        yield name, Line(path, text, at, value)
        at = _next(text, end)


def _next(text: str, end: int) -> int:
    """Where the next member, or the closing bracket, stands."""
    at = _skip(text, end)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    """Over white space."""
    match = _SPACE.match(text, at)
    return match.end() if match else at
