"""The process that fetches a link: ``python -m drum2midi.link_worker``.

It reads its task as a line of JSON, writes reports as lines of JSON (``share``, then ``file``
and ``title``, or ``error``), and ends when its input does, taking its folder with it. The
guards here are for the whole process and for good, which is why it is one of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

_ANSWER_SECONDS: Final = 20.0
_MEMORY: Final = 2 << 30
_TRANSLATED: Final = ip_network("64:ff9b::/96")
_HELPERS: Final = frozenset({"deno", "deno.exe"})  # runs a site's scripts, without a network
_NAME_LENGTH: Final = 100
_NAME_BYTES: Final = 200  # a file system takes 255, suffix included


class RefusedError(OSError):
    """Something that a link must not lead to."""


class _Guard:
    """Looks at every connection and every program that this process starts."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = [ip_network(address, strict=False) for address in allowed]
        self.refusal: str | None = None

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            if args[1] is not None:  # None: the other end of a connection
                self._check_address(args[1])
        elif event == "urllib.Request":
            scheme = urlsplit(str(args[0])).scheme.lower()
            if scheme not in {"http", "https", "data"}:
                self.refuse(f"leads to {scheme}:, and only http and https can be fetched")
        elif event == "subprocess.Popen":
            if Path(os.fsdecode(args[0] or args[1][0])).name not in _HELPERS:
                raise RefusedError("programs that may go online by themselves are not started")
        elif event in {"os.system", "ftplib.connect"}:
            raise RefusedError("only http and https are spoken")

    def _check_address(self, address: Any) -> None:
        """Refuse what is not a public address; by then every name has become a number."""
        host = address[0] if isinstance(address, tuple) else None
        try:
            parsed = ip_address(str(host).partition("%")[0])
        except ValueError:
            self.refuse("leads to what is not an internet address")
        if not any(parsed in network for network in self._allowed) and not is_public(parsed):
            self.refuse(
                f"leads to {parsed}, which is not a public address; "
                f"--allow-private {parsed} permits it"
            )

    def refuse(self, reason: str) -> NoReturn:
        self.refusal = self.refusal or reason
        raise RefusedError(reason)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is anybody's, and so is the IPv4 address inside it if there is one."""
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        inside = [address.sixtofour, *(address.teredo or ())]
        if any(inner is not None and not is_public(inner) for inner in inside):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def main() -> None:
    task = json.loads(sys.stdin.readline())
    folder = Path(task["folder"])
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    guard = _Guard(task["allowed"])
    sys.addaudithook(guard)
    _limit_memory()
    try:
        file, title = _fetch(task["link"], folder, int(task["megabytes"] * 1e6), guard)
    except MemoryError:
        _report(error="takes more memory than a recording should")
    except Exception as error:  # yt-dlp raises whatever a site makes of it
        _report(error=guard.refusal or _reason(error))
    else:
        _report(file=str(file), title=title)
    threading.Event().wait()  # the folder is this process's as long as the parent needs it


def _end_with_parent(folder: Path) -> None:
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _limit_memory() -> None:
    """So that a small answer that unpacks to a huge one fails here."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _report(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _fetch(link: str, folder: Path, limit: int, guard: _Guard) -> tuple[Path, str]:
    """Find the one recording behind the link, and download it."""
    ydl = _downloader(folder, limit, guard)
    # Of a playlist's songs only the number matters.
    info = ydl.extract_info(link, download=False)
    if info is None:
        guard.refuse("has no recording to be found")
    if info.get("_type", "video") != "video":
        guard.refuse("is a playlist; give the link of one song")
    if info.get("is_live"):
        guard.refuse("is a live stream, which does not end")
    title = str(info.get("title") or "song")
    ydl.process_ie_result(info, download=True)
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        guard.refuse("has no recording to be found")
    return _named(files[0], title), title


def _downloader(folder: Path, limit: int, guard: _Guard) -> Any:
    import yt_dlp

    class Downloader(yt_dlp.YoutubeDL):  # type: ignore[misc]
        """Goes online by Python's own sockets only, and counts what comes."""

        left = limit

        def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
            own = [handler for handler in handlers if handler.RH_KEY == "Urllib"]
            return super().build_request_director(own, preferences)

        def urlopen(self, request: Any) -> Any:
            response = super().urlopen(request)
            length = response.headers.get("Content-Length") or ""
            if length.isdigit() and int(length) > self.left:
                self._too_large()
            read = response.read

            def counted(amount: int | None = None) -> bytes:
                most = self.left + 1
                data: bytes = read(most if amount is None or amount < 0 else min(amount, most))
                self.left -= len(data)
                if self.left < 0:
                    self._too_large()
                return data

            response.read = counted
            return response

        def _too_large(self) -> NoReturn:
            guard.refuse(f"is larger than {limit / 1e6:g} MB; --max-download allows more")

    return Downloader(
        {
            "format": "bestaudio/best[height<=480]/best",
            "outtmpl": {"default": str(folder / "song.%(ext)s")},
            "noplaylist": True,
            "extract_flat": "in_playlist",
            "playlist_items": "1:2",
            "socket_timeout": _ANSWER_SECONDS,
            "retries": 2,
            "extractor_retries": 1,
            "fragment_retries": 2,
            "skip_unavailable_fragments": False,
            "hls_prefer_native": True,
            "fixup": "never",
            "cachedir": False,
            "updatetime": False,
            "proxy": "",  # a proxy would reach for addresses that this process cannot see
            "logger": _Silent(),
            "noprogress": True,
            "color": "never",
            "progress_hooks": [_share],
        }
    )


def _share(status: dict[str, Any]) -> None:
    total = status.get("total_bytes") or status.get("total_bytes_estimate")
    if total and status.get("downloaded_bytes"):
        _report(share=min(1.0, status["downloaded_bytes"] / total))


class _Silent:
    """yt-dlp's log; what matters comes as an exception."""

    def debug(self, message: str) -> None:
        """Nothing."""

    info = warning = error = debug


def _named(file: Path, title: str) -> Path:
    """Rename a recording after its title, with the suffix of what it is."""
    from yt_dlp.utils import sanitize_filename

    with file.open("rb") as start:
        head = start.read(12)
    suffix = file.suffix
    if head[4:8] == b"ftyp":
        suffix = ".m4a"
    elif head[:4] == b"\x1a\x45\xdf\xa3":
        suffix = ".webm"
    name = sanitize_filename(title.strip()).strip(". ")[:_NAME_LENGTH]
    name = name.encode(errors="ignore")[:_NAME_BYTES].decode(errors="ignore").strip(". ") or "song"
    return file.rename(file.with_name(name + suffix))


def _reason(error: Exception) -> str:
    """The first of an error's causes, without yt-dlp's advice to its own users."""
    from yt_dlp.networking.exceptions import HTTPError, TransportError
    from yt_dlp.utils import UnsupportedError

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, UnsupportedError):
            return "has no recording to be found"
        if isinstance(cause, HTTPError) and 300 <= cause.status < 400:
            return "is sent on to what is not http or https, or in a circle"
        if isinstance(cause, HTTPError):
            return f"the server answers {cause.status} {cause.reason}"
        if isinstance(cause, socket.gaierror):
            return "there is no server of that name"
        if isinstance(cause, TimeoutError):
            return "the server does not answer"
    for cause in causes:
        if isinstance(cause, TransportError):
            return f"the connection fails ({cause.msg})"
    return " ".join(str(error).removeprefix("ERROR: ").partition("; please report")[0].split())


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that it comes of."""
    found, waiting = [], [error]
    while waiting:
        one = waiting.pop(0)
        if one in found:
            continue
        found.append(one)
        exc_info = getattr(one, "exc_info", None) or (None, None)
        others = (
            getattr(one, "cause", None), exc_info[1], getattr(one, "reason", None),
            one.__cause__, one.__context__,
        )  # fmt: skip
        waiting += [other for other in others if isinstance(other, BaseException)]
    return found


if __name__ == "__main__":
    main()
