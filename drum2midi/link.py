"""A link: the recording behind it, fetched by yt-dlp in a process of its own.

The process (`drum2midi.link_worker`) may connect to public addresses only, and owns the
folder that it writes to; when this one ends, however it ends, that folder goes too.
"""

from __future__ import annotations

import json
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import IO, Any, Final

from drum2midi.errors import InputError, check_extra

_LINK: Final = re.compile(r"[a-z][a-z0-9+.-]+://|file:|data:", re.IGNORECASE)
_EATEN: Final = re.compile(r"https?:/[^/]", re.IGNORECASE)
_MOST: Final = 1e6  # seconds or megabytes
_WEB: Final = re.compile(r"https?://[^/?#\s]+", re.IGNORECASE)


@dataclass(frozen=True)
class LinkLimits:
    """What a link may cost.

    Attributes
    ----------
    megabytes : float
        Of everything that is fetched for it.
    seconds : float
        For all of the fetching.
    allowed : tuple of str
        Addresses or networks, ``10.0.0.0/8``, that may be connected to though they are private,
        of this machine, of the link or reserved.
    """

    megabytes: float = 200.0
    seconds: float = 600.0
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fetched:
    """A recording that was fetched: its file, while it lasts, and its title."""

    path: Path
    title: str


def check_is_file(song: Path) -> None:
    """Raise `InputError` if what should be a file's path is a link, of which pathlib eats a slash.

    What was fetched is gone when the program ends; labels and stems would lie beside nothing.
    """
    text = str(song)
    if _EATEN.match(text) and not song.exists():
        link = text.replace(":/", "://", 1)
        raise InputError(f"{link}: only transcribing takes a link; fetch it into a file first")


def is_link(song: str) -> bool:
    """Whether a song is named by a link and not by a file."""
    return bool(_LINK.match(song)) and not Path(song).exists()


@contextmanager
def fetched(
    link: str,
    *,
    limits: LinkLimits | None = None,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Fetched]:
    """Fetch the recording behind a link; the file is gone when the block ends.

    Parameters
    ----------
    link : str
        ``http://`` or ``https://``: an audio file, or a page that yt-dlp finds one on.
    limits : LinkLimits, optional
    progress : callable, optional
        Told the share that is fetched, 0 to 1, where the server says how much there is.

    Raises
    ------
    InputError
        If the link is of another kind, leads to an address that is not public, to no recording
        or to several, or costs more than its limits; or if yt-dlp is not installed.
    """
    limits = limits or LinkLimits()
    _check(link, limits)
    folder = Path(tempfile.mkdtemp(prefix="drum2midi-"))
    try:
        worker = _start(link, folder, limits)
        try:
            yield _wait(worker, link, limits, progress)
        finally:
            worker.kill()
            worker.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(link: str, limits: LinkLimits) -> None:
    if not _WEB.match(link):
        raise InputError(f"{link}: only http:// and https:// links can be fetched")
    for address in limits.allowed:
        try:
            ip_network(address, strict=False)
        except ValueError:
            raise InputError(
                f"--allow-private {address}: not an address such as 192.168.1.5 or 10.0.0.0/8"
            ) from None
    for option, amount in (("--max-wait", limits.seconds), ("--max-download", limits.megabytes)):
        if not 0 < amount <= _MOST:
            raise InputError(f"{option} {amount:g}: not more than 0 and at most {_MOST:,.0f}")
    check_extra("link", "yt_dlp")


def _start(link: str, folder: Path, limits: LinkLimits) -> subprocess.Popen[str]:
    """The worker; it has no terminal, so that Control-C reaches this process alone."""
    worker = subprocess.Popen(
        # -P: a file that lies in the current folder is no module of Python's.
        [sys.executable, "-P", "-m", "drum2midi.link_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    assert worker.stdin is not None
    task = {"link": link, "folder": str(folder), **asdict(limits)}
    worker.stdin.write(json.dumps(task) + "\n")
    worker.stdin.flush()
    return worker


def _wait(
    worker: subprocess.Popen[str],
    link: str,
    limits: LinkLimits,
    progress: Callable[[float], None] | None,
) -> Fetched:
    """Follow the worker's reports up to the last."""
    assert worker.stdout is not None
    reports: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(worker.stdout, reports), daemon=True).start()
    deadline = time.monotonic() + limits.seconds
    while True:
        try:
            report = reports.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise InputError(
                f"{link}: not fetched within {limits.seconds:g} s; --max-wait allows more"
            ) from None
        if report is None:
            raise InputError(f"{link}: yt-dlp ended without a recording")
        if "error" in report:
            raise InputError(f"{link}: {report['error']}")
        if "file" in report:
            return Fetched(Path(report["file"]), report["title"])
        if progress:
            progress(report["share"])


def _read(lines: IO[str], reports: queue.Queue[dict[str, Any] | None]) -> None:
    try:
        for line in lines:
            reports.put(json.loads(line))
    except ValueError:  # broken off in the middle of a line
        pass
    reports.put(None)


def about_link(error: InputError, link: str, path: Path) -> InputError:
    """The error, naming the link and not the temporary file."""
    return InputError(str(error).replace(str(path), link))
