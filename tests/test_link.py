"""Links, against a server on loopback; nothing here goes further."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from drum2midi.errors import InputError
from drum2midi.link import LinkLimits, fetched, is_link
from drum2midi.link_worker import _named, is_public

HERE = LinkLimits(allowed=("127.0.0.1",))

needs_yt_dlp = pytest.mark.usefixtures("yt_dlp")


@pytest.fixture(scope="session")
def yt_dlp() -> None:
    pytest.importorskip("yt_dlp")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recording = b""
    asked: list[str]

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        self.server.asked.append(name)
        try:
            getattr(self, {
                "/beat.wav": "wav", "/A%20Song%3A%20%3CLive%3E.wav": "wav", "/octets": "octets",
                "/page.html": "page", "/words.txt": "words", "/list.xml": "feed",
                "/to-loopback": "away", "/to-cloud": "cloud", "/to-file": "file", "/to-ftp": "ftp",
                "/moved": "moved", "/huge.wav": "huge", "/endless.mp3": "endless",
                "/endless.html": "endless_page", "/bomb.html": "bomb", "/slow.mp3": "slow",
                "/mute.wav": "mute", "/short.wav": "short",
            }.get(name, "missing"))()  # fmt: skip
        except OSError:  # the other side has had enough
            self.close_connection = True

    do_HEAD = do_GET  # noqa: N815

    def answer(self, kind: str, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def wav(self) -> None:
        self.answer("audio/x-wav", self.server.recording)

    def octets(self) -> None:
        self.answer("application/octet-stream", self.server.recording)

    def missing(self) -> None:
        self.answer("text/plain", b"", 404)

    def page(self) -> None:
        self.answer("text/html", b"<!doctype html><html><title>Hello</title><p>No song</html>")

    def words(self) -> None:
        self.answer("text/plain", b"la la la " * 100)

    def feed(self) -> None:
        item = "<item><title>{0}</title><enclosure url='http://127.0.0.1/{0}.wav'/></item>"
        items = "".join(item.format(name) for name in "ab")
        self.answer("text/xml", f"<rss><channel><title>x</title>{items}</channel></rss>".encode())

    def to(self, target: str) -> None:
        self.answer("text/plain", b"", 302, Location=target)

    def away(self) -> None:
        self.to(f"http://127.0.0.2:{self.server.server_port}/beat.wav")

    def cloud(self) -> None:
        self.to("http://169.254.169.254/latest/meta-data/")

    def file(self) -> None:
        self.to("file:///etc/passwd")

    def ftp(self) -> None:
        self.to(f"ftp://127.0.0.1:{self.server.server_port}/beat.wav")

    def moved(self) -> None:
        self.to("/beat.wav")

    def huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "audio/x-wav")
        self.send_header("Content-Length", str(10**10))
        self.end_headers()
        self.pour(b"\0" * 65536)

    def endless(self, kind: str = "audio/mpeg", block: bytes = bytes(65536)) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(block[:22] * 3000)
        self.pour(block)

    def endless_page(self) -> None:
        self.endless("text/html", b"<!doctype html><html>" + b"<p>word</p>" * 6000)

    def bomb(self) -> None:
        page = b"<!doctype html><html>" + b" " * 30_000_000
        self.answer("text/html", gzip.compress(page), Content_Encoding="gzip")

    def slow(self) -> None:
        self.endless(block=b"\0")

    def mute(self) -> None:
        self.server.stopped.wait(60)

    def short(self) -> None:
        self.answer("audio/x-wav", self.server.recording[:5000], Content_Length="100000")
        self.close_connection = True

    def pour(self, block: bytes) -> None:
        while not self.server.stopped.is_set():
            self.wfile.write(block)
            if len(block) < 100:
                time.sleep(0.05)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, address: object) -> None:
        pass


@pytest.fixture(scope="session")
def server(beat_wav: Path) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.recording, server.asked = beat_wav.read_bytes(), []
    server.stopped = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.stopped.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; at the end of every test none of a recording is in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.glob("drum2midi-*")) == []


def link(server: _Server, name: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{name}"


def reason(address: str, limits: LinkLimits = HERE) -> str:
    """Why a link is not fetched; the error names the link."""
    with pytest.raises(InputError) as error, fetched(address, limits=limits):
        pass
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{address}: ")


def test_what_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for song in ("http://a/b", "HTTPS://a", "ftp://a/b", "file:///a", "file:a.wav", "data:,x"):
        assert is_link(song)
    for song in ("song.wav", "C:/a.wav", "a/b:c.wav", "https.wav", "./http:", "a b://c"):
        assert not is_link(song)
    monkeypatch.chdir(tmp_path)
    Path("file:a.wav").touch()
    assert not is_link("file:a.wav")


@pytest.mark.parametrize("name", ["slice", "separate", "label"])
def test_what_lies_beside_a_recording_needs_its_file(tmp_path: Path, name: str) -> None:
    output = () if name == "label" else ("-o", tmp_path / "out.wav")
    done = command(name, "https://example.com/a.mp3", *output)
    message = (
        "https://example.com/a.mp3: only transcribing takes a link; fetch it into a file first"
    )
    assert (done.returncode, done.stderr) == (1, f"drum2midi: {message}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "file:x", "ftp://a/b", "data:audio/wav,x", "http://", "x+y://"],
)
def test_other_than_http_is_refused(address: str, temporary: Path) -> None:
    assert reason(address) == "only http:// and https:// links can be fetched"


def test_an_allowance_that_is_no_address(temporary: Path) -> None:
    with (
        pytest.raises(InputError, match="--allow-private home: not an address such as"),
        fetched("http://a/b", limits=LinkLimits(allowed=("home",))),
    ):
        pass


def test_without_yt_dlp(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr("drum2midi.errors.find_spec", lambda name: None)
    with (
        pytest.raises(InputError, match=r"this needs yt_dlp: pip install 'drum2midi\[link\]'"),
        fetched("http://example.com/a.wav"),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True), ("2002:808:808::1", True),
        ("127.0.0.1", False), ("127.9.9.9", False), ("0.0.0.0", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("192.0.2.1", False), ("198.18.0.1", False), ("224.0.0.1", False),
        ("239.1.1.1", False), ("240.0.0.1", False), ("255.255.255.255", False), ("::", False),
        ("::1", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False),
        ("2001:db8::1", False), ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False), ("2002:7f00:1::1", False),
        ("::7f00:1", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@needs_yt_dlp
@pytest.mark.parametrize("name", ["beat.wav", "moved", "octets"])
def test_a_recording_is_fetched_and_gone(server: _Server, temporary: Path, name: str) -> None:
    told: list[float] = []
    with fetched(link(server, name), limits=HERE, progress=told.append) as found:
        assert found.path.read_bytes() == server.recording
        assert found.path.is_relative_to(temporary)
        assert found.title == ("octets" if name == "octets" else "beat")
    assert told[-1] == 1.0
    assert told == sorted(told)


@needs_yt_dlp
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_this_machine_is_refused_by_any_name(server: _Server, temporary: Path, host: str) -> None:
    before = len(server.asked)
    why = reason(f"http://{host}:{server.server_port}/beat.wav", LinkLimits())
    assert "which is not a public address; --allow-private" in why
    assert len(server.asked) == before


@needs_yt_dlp
def test_redirects_are_refused_likewise(server: _Server, temporary: Path) -> None:
    assert reason(link(server, "to-loopback")) == (
        "leads to 127.0.0.2, which is not a public address; --allow-private 127.0.0.2 permits it"
    )
    assert reason(link(server, "to-cloud")).startswith("leads to 169.254.169.254, which is not")
    assert reason(link(server, "to-file")).startswith("is sent on to what is not http or https")
    assert reason(link(server, "to-ftp")) == "leads to ftp:, and only http and https can be fetched"


def test_a_name_that_changes_its_address_is_looked_at_when_it_connects(server: _Server) -> None:
    script = f"""
import socket, sys, urllib.request
from drum2midi.link_worker import _Guard
real = socket.getaddrinfo
answers = iter(["8.8.8.8", "127.0.0.1"])
socket.getaddrinfo = lambda host, port, *rest, **more: real(next(answers), port, *rest, **more)
guard = _Guard(())
sys.addaudithook(guard)
assert socket.getaddrinfo("rebound.example", 80)[0][4][0] == "8.8.8.8"
try:
    urllib.request.urlopen("http://rebound.example:{server.server_port}/beat.wav", timeout=5)
except OSError as error:
    print(error)
print(guard.refusal)
"""
    before = len(server.asked)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("leads to 127.0.0.1, which is not a public address") == 2
    assert len(server.asked) == before


@needs_yt_dlp
def test_what_is_no_recording(server: _Server, temporary: Path) -> None:
    assert reason(link(server, "missing.wav")).startswith("the server answers 404")
    assert reason(link(server, "page.html")) == "has no recording to be found"
    assert reason(link(server, "list.xml")) == "is a playlist; give the link of one song"


@needs_yt_dlp
@pytest.mark.parametrize("name", ["huge.wav", "endless.mp3", "endless.html", "bomb.html"])
def test_too_large(server: _Server, temporary: Path, name: str) -> None:
    limits = LinkLimits(megabytes=3.0, allowed=HERE.allowed)
    assert reason(link(server, name), limits) == ("is larger than 3 MB; --max-download allows more")


@needs_yt_dlp
@pytest.mark.parametrize("name", ["slow.mp3", "mute.wav"])
def test_too_slow(server: _Server, temporary: Path, name: str) -> None:
    limits = LinkLimits(seconds=4.0, allowed=HERE.allowed)
    assert reason(link(server, name), limits) == ("not fetched within 4 s; --max-wait allows more")


@needs_yt_dlp
def test_nobody_there(temporary: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert reason(f"http://127.0.0.1:{port}/a.wav").startswith("the connection fails")


def command(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drum2midi", *map(str, arguments)],
        capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


@needs_yt_dlp
def test_what_lies_in_the_current_folder_is_not_run(
    server: _Server, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("queue", "shutil", "resource", "secrets"):
        (tmp_path / f"{name}.py").write_text("open('run', 'w').close()\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    with fetched(link(server, "beat.wav"), limits=HERE) as recording:
        assert recording.path.stat().st_size > 0
    assert not (tmp_path / "run").exists()


@needs_yt_dlp
@pytest.mark.parametrize("seconds", [0.0, float("inf"), float("nan")])
def test_limits_are_numbers(seconds: float, temporary: Path) -> None:
    with (
        pytest.raises(InputError, match=r"--max-wait .*: not more than 0 and at most 1,000,000"),
        fetched("http://127.0.0.1/a.wav", limits=LinkLimits(seconds=seconds)),
    ):
        pass


@needs_yt_dlp
@pytest.mark.parametrize("letter", ["ド", "🥁", "a"])
def test_a_long_title_is_cut_to_what_a_file_can_be_called(letter: str, tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    file.write_bytes(b"RIFF")
    named = _named(file, 90 * letter)
    named.with_suffix(".musicxml").touch()
    assert named.name == min(90, 200 // len(letter.encode())) * letter + ".wav"


@needs_yt_dlp
def test_the_command_names_files_by_the_title(
    server: _Server, temporary: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    song = link(server, "A%20Song%3A%20%3CLive%3E.wav")
    done = command(song, "--allow-private", "127.0.0.1", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "8 kick" in done.stdout
    assert done.stdout.startswith("A Song: <Live>: ")
    names = sorted(path.name for path in folder.iterdir())
    assert [Path(name).suffix for name in names] == [".mid", ".musicxml"]
    assert all(name.startswith("A Song") and not set(name) & set('<>:"/\\|?*') for name in names)


@needs_yt_dlp
def test_the_command_writes_what_it_is_told(
    server: _Server, temporary: Path, tmp_path: Path
) -> None:
    allow = ("--allow-private", "127.0.0.0/8")
    target = tmp_path / "a.json"
    done = command(
        link(server, "beat.wav"), "-o", target, "-o", tmp_path / "a.wav", "--mix", *allow
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(target.read_text())["title"] == "beat"
    words = command(link(server, "words.txt"), "-o", target, *allow)
    assert words.returncode == 1
    assert words.stderr.startswith(
        f"drum2midi: {link(server, 'words.txt')}: not audio that can be read"
    )
    asked = len(server.asked)
    lost = command(link(server, "beat.wav"), "-o", tmp_path / "lost" / "a.mid", *allow)
    assert "there is no folder" in lost.stderr
    assert len(server.asked) == asked


@needs_yt_dlp
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_nothing_is_left(
    server: _Server, temporary: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    arguments = [link(server, "slow.mp3"), "-o", str(tmp_path / "a.mid"),
                 "--allow-private", "127.0.0.1"]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "drum2midi", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background is deaf to Control-C, and so would its children be.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not list(temporary.glob("*/song*")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(ending)
        _, message = process.communicate(timeout=30)
    # Of Control-C and of SIGKILL it dies, so that a shell knows.
    dies = ending in (signal.SIGINT, signal.SIGKILL)
    assert process.returncode == (-ending if dies else 128 + ending)
    assert "Traceback" not in message
    for _ in range(200):  # after SIGKILL the worker tidies, a moment later
        if not list(temporary.glob("drum2midi-*")):
            break
        time.sleep(0.05)
    assert not (tmp_path / "a.mid").exists()


def test_a_file_is_no_reason_to_import_yt_dlp(beat_wav: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from drum2midi.cli import main\n"
        f"try: main([{str(beat_wav)!r}, '-q', '-o', {str(tmp_path / 'a.mid')!r}])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "print([m for m in ('yt_dlp', 'torch', 'demucs', 'platformdirs') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.splitlines()[-1] == "[]"
