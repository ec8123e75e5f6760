"""The one error that a user's input can cause."""

from __future__ import annotations

from importlib.util import find_spec


class InputError(ValueError):
    """Something in what the user gave cannot be used; the message names it and says why.

    The command line prints the message as one line and exits with status 1.
    """


def check_extra(extra: str, *modules: str) -> None:
    """Raise `InputError` if a module that comes with an extra is not installed."""
    for module in modules:
        if find_spec(module) is None:
            raise InputError(f"this needs {module}: pip install 'drum2midi[{extra}]'")
