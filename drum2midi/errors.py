"""The one error that a user's input can cause."""

from __future__ import annotations


class InputError(ValueError):
    """Something in what the user gave cannot be used; the message names it and says why.

    The command line prints the message as one line and exits with status 1.
    """
