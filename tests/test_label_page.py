"""The labelling page, in a real browser: keys pressed, and what is then on the disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("nicegui")
playwright = pytest.importorskip("playwright.sync_api")

from drum2midi.cli import main  # noqa: E402
from drum2midi.drums import BY_NAME, CLOSED_HAT, KICK, SNARE  # noqa: E402
from drum2midi.workshop.labelling import DRUM_KEYS  # noqa: E402
from drum2midi.workshop.labels import Label, Labels, read_article, read_labels  # noqa: E402
from drum2midi.workshop.labels import write_labels as write  # noqa: E402
from drum2midi.workshop.slices import Slices  # noqa: E402
from drum2midi.workshop.slicing import slice_song  # noqa: E402

expect = playwright.expect
expect.set_options(timeout=60_000)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs the browser chromium")
    with playwright.sync_playwright() as engine:
        # Chromium's sandbox cannot be had by root or in most containers.
        running = engine.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which nothing may go wrong and which may reach nothing but this machine."""
    page = browser.new_page(viewport={"width": 1280, "height": 880})
    page.set_default_timeout(60_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda r: wrong.append(r.url) if "//127.0.0.1:" not in r.url else None)
    yield page
    page.close()
    assert not [what for what in wrong if not what.startswith(("blob:", "data:"))]


@pytest.fixture
def slices(beat_wav: Path, tmp_path: Path) -> Slices:
    """The 16 hits of four bars, kick and snare in turn."""
    song = tmp_path / "song.wav"
    song.write_bytes(beat_wav.read_bytes())
    return slice_song(song, tmp_path / "hits")


class Server:
    """`drum2midi label` as a process."""

    def __init__(self, source: Path) -> None:
        command = ["label", str(source), "--who", "anna", "--port", "0", "--no-browser"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "drum2midi", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # NiceGUI acts differently where it sees pytest.
            env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        if "http" not in self.said:
            raise AssertionError(self.process.communicate()[1])
        self.address = self.said.split(" at ")[1].split()[0]

    def end(self, how: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


@pytest.fixture
def server(slices: Slices) -> Iterator[Server]:
    running = Server(slices.slices[0].clip.parent.parent)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate()


def labels_path(slices: Slices) -> Path:
    return slices.slices[0].clip.parents[1] / "labels-anna.json"


def journal(slices: Slices) -> list[dict]:
    path = labels_path(slices).with_name("labels-anna.json.journal")
    return [json.loads(line) for line in path.read_text().splitlines()]


def at(page: Any, number: int) -> None:
    expect(page.locator(".hit")).to_contain_text(f"Hit {number} of 16")


def visit(page: Any, server: Server, number: int = 1) -> None:
    """Open the page; keys are heard from then on."""
    page.goto(server.address)
    at(page, number)
    page.wait_for_function("window.socket?.connected")


def ticked(page: Any) -> list[str]:
    return page.locator("button.drum[aria-pressed=true] .name").all_inner_texts()


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_hits_are_labelled_by_key(page: Any, server: Server, slices: Slices) -> None:
    onsets = [one.onset for one in slices.slices]
    visit(page, server)
    expect(page.locator(".sheet")).to_contain_text("labelling as anna, into labels-anna.json")
    suggested = [guess.drum.name for guess in slices.slices[0].predictions]
    assert ticked(page) == suggested
    confirm = page.locator("button.main")
    expect(confirm).to_contain_text(f"Confirm: {' + '.join(suggested)}")
    press(page, "Enter")  # the suggestion, confirmed
    at(page, 2)
    assert journal(slices)[0]["drums"] == suggested
    assert (journal(slices)[0]["time"], journal(slices)[0]["who"]) == (onsets[0], "anna")
    press(page, "Escape")
    expect(confirm).to_contain_text("Confirm: nothing of the kit here")
    press(page, "s", "h", "+", "Enter")
    at(page, 3)
    press(page, "ArrowRight")
    at(page, 4)
    press(page, "Escape", "Enter")
    at(page, 5)
    expect(page.get_by_text("3 labelled, 1 skipped, 12 to go")).to_be_visible()
    press(page, "u")
    at(page, 4)
    expect(page.get_by_text("2 labelled, 1 skipped, 13 to go")).to_be_visible()
    press(page, "ArrowLeft")
    at(page, 3)
    press(page, "ArrowLeft")
    at(page, 2)
    expect(page.get_by_text("labelled by anna")).to_be_visible()
    assert ticked(page) == ["snare", "closed hi-hat"]
    heard = max(guess.velocity for guess in slices.slices[1].predictions)
    expect(page.locator(".velocity")).to_have_text(f"Velocity: {heard}")

    code, out, err = server.end(signal.SIGINT)
    assert (code, err) == (0, "")
    assert out == f"{labels_path(slices)}: 2 of 16 hits labelled\n"
    labels = read_labels(labels_path(slices)).labels
    assert [(label.onset, label.drums, label.velocity) for label in labels] == [
        (onsets[0], tuple(BY_NAME[name] for name in suggested), None),
        (onsets[1], (SNARE, CLOSED_HAT), heard),
    ]


def test_hits_are_heard_and_seen_and_buttons_do_what_keys_do(
    page: Any, server: Server, slices: Slices
) -> None:
    visit(page, server)
    page.wait_for_function("document.querySelector('.picture').naturalWidth >= 1000")
    sound = "document.getElementById('sound')"
    for key, path, seconds in ((" ", "/hit/0", 0.25), ("w", "/around/0", 2.5)):
        press(page, key)
        page.wait_for_function(f"{sound}.ended && {sound}.currentSrc.endsWith('{path}')")
        assert page.evaluate(f"{sound}.duration") == pytest.approx(seconds, abs=0.01)
    keys = page.locator("button.drum kbd").all_inner_texts()
    assert [key.lower() for key in keys] == list(DRUM_KEYS)
    for name in ("Untick all", "ride bell", "crash", "Harder", "Harder", "Softer"):
        page.get_by_role("button", name=name).click()
    expect(page.locator("button.main")).to_contain_text("Confirm: crash + ride bell")
    press(page, "Enter")  # confirms, although a button was clicked last
    at(page, 2)
    # The next is played at once.
    page.wait_for_function(f"{sound}.currentSrc.endsWith('/hit/1') && {sound}.ended")
    assert journal(slices)[-1]["drums"] == ["crash", "ride bell"]
    assert journal(slices)[-1]["velocity"] is not None
    page.get_by_role("button", name="Skip").click()
    at(page, 3)
    page.get_by_role("button", name="Back").click()
    at(page, 2)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 labelled, 0 skipped, 15 to go")).to_be_visible()
    with page.expect_download():
        page.get_by_role("link", name="Labels", exact=True).click()
    press(page, "k", "s", "Enter")  # likewise after a link
    at(page, 3)
    page.get_by_role("button", name="Skip").hover()
    page.mouse.down()
    page.mouse.move(5, 5)
    page.mouse.up()
    press(page, "Backspace")
    at(page, 2)
    page.get_by_role("button", name="Skip").focus()
    press(page, "Tab", "Shift+Tab", "Enter")  # who walks by Tab presses what has the focus
    at(page, 3)
    page.get_by_role("button", name="crash").click()  # and the mouse takes it away again
    press(page, "Enter")
    at(page, 4)
    assert [line["did"] for line in journal(slices)] == [
        "label", "skip", "open", "label", "open", "skip", "label"
    ]  # fmt: skip


def answers_this_machine_only(server: Server) -> None:
    port = int(server.address.rstrip("/").rsplit(":", 1)[1])
    with urllib.request.urlopen(server.address) as answer:
        assert answer.status == 200
    # Another site that has its name point here (DNS rebinding) is refused.
    request = urllib.request.Request(server.address, headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)
    listening = Path("/proc/net/tcp")
    if listening.exists():
        bound = {row.split()[1] for row in listening.read_text().splitlines()[1:]
                 if row.split()[3] == "0A"}  # fmt: skip
        assert {address for address in bound if address.endswith(f":{port:04X}")} == {
            f"0100007F:{port:04X}"
        }
        six = Path("/proc/net/tcp6")
        assert not six.exists() or f":{port:04X} 0" not in six.read_text()


def test_labels_are_downloaded_by_this_machine_only(
    page: Any, server: Server, slices: Slices
) -> None:
    folder = labels_path(slices).parent
    visit(page, server)
    press(page, "Escape", "k", "o", "Enter")
    at(page, 2)
    press(page, "Escape", "2", "Enter")
    at(page, 3)
    names = {}
    for text in ("Labels", "Clips and drums", "Clips in six classes"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=text, exact=True).click()
        names[text] = waiting.value.suggested_filename
        waiting.value.save_as(folder / f"got-{names[text]}")
    assert list(names.values()) == ["labels-anna.json", "clips.json", "clips-six.json"]
    got = read_labels(folder / "got-labels-anna.json")
    assert got.audio.samefile(slices.audio)
    assert [[str(d) for d in label.drums] for label in got.labels] == [
        ["kick", "open hi-hat"],
        ["mid tom"],
    ]
    clips = read_article(folder / "got-clips.json")
    assert [clip.path for clip in clips] == [one.clip for one in slices.slices[:2]]
    assert [clip.drums for clip in clips] == [label.drums for label in got.labels]
    assert json.loads((folder / "got-clips-six.json").read_text()) == [
        ["clips/0001.wav", ["kick", "hi-hat"]],
        ["clips/0002.wav", "toms"],
    ]
    answers_this_machine_only(server)


def test_kill_9_loses_nothing_and_two_browsers_see_the_same(
    page: Any, browser: Any, server: Server, slices: Slices
) -> None:
    visit(page, server)
    second = browser.new_page()
    second.set_default_timeout(60_000)
    visit(second, server)
    second.evaluate("() => { sound.onplay = () => { window.heard = true; }; }")
    for number in range(2, 6):
        press(page, "Escape", "s", "Enter")
        at(page, number)
    at(second, 5)
    assert second.evaluate("window.heard") is None  # each hit is played once, where it is labelled
    second.close()
    assert server.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert not labels_path(slices).exists()
    again = Server(labels_path(slices).parent)
    try:
        visit(page, again, 5)
        expect(page.get_by_text("4 labelled, 0 skipped, 12 to go")).to_be_visible()
        press(page, "u")
        at(page, 4)
        press(page, "k", "Enter")
        at(page, 5)
    finally:
        code, _, err = again.end(signal.SIGINT)
    assert (code, err) == (0, "")
    labels = read_labels(labels_path(slices)).labels
    assert [label.drums for label in labels] == [(SNARE,)] * 3 + [(KICK, SNARE)]
    assert not list(labels_path(slices).parent.glob("*.journal*"))


def test_what_is_pressed_before_a_hit_is_seen_is_not_of_it(
    page: Any, server: Server, slices: Slices
) -> None:
    visit(page, server)
    server.process.send_signal(signal.SIGSTOP)
    press(page, "Escape", "s", "Enter", "Enter", "k", "Enter")
    page.wait_for_timeout(500)
    server.process.send_signal(signal.SIGCONT)
    at(page, 2)
    page.wait_for_timeout(500)
    at(page, 2)
    assert [line["drums"] for line in journal(slices)] == [["snare"]]
    # A drum's key was among them: the hit is not labelled without it.
    expect(page.get_by_text("A key came before this hit was seen.")).to_be_visible()
    press(page, "Enter")
    page.wait_for_timeout(300)
    at(page, 2)
    page.keyboard.down("Escape")
    page.keyboard.down("h")
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # held down
    at(page, 3)
    page.wait_for_timeout(300)
    at(page, 3)
    expect(page.get_by_text("A key came before this hit was seen.")).not_to_be_visible()


def test_what_is_changed_but_not_confirmed_is_said(page: Any, server: Server) -> None:
    visit(page, server)
    press(page, "Escape", "s", "Enter")
    at(page, 2)
    press(page, "ArrowLeft")
    at(page, 1)
    expect(page.get_by_text("labelled by anna", exact=True)).to_be_visible()
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', "
        "{key: 'л', code: 'KeyK', bubbles: true}))"
    )  # where K is on a Cyrillic keyboard
    expect(page.get_by_text("labelled by anna; changed, Enter confirms")).to_be_visible()
    assert ticked(page) == ["kick", "snare"]
    press(page, "k")
    expect(page.get_by_text("labelled by anna", exact=True)).to_be_visible()


def test_a_clip_that_is_gone_is_said(page: Any, server: Server, slices: Slices) -> None:
    slices.slices[1].clip.unlink()
    visit(page, server)
    press(page, "Enter")
    at(page, 2)
    expect(page.get_by_text("The sound cannot be played.")).to_be_visible()
    press(page, "Enter")
    at(page, 3)
    expect(page.get_by_text("The sound cannot be played.")).not_to_be_visible()
    assert server.end(signal.SIGINT)[2] == ""


def test_pictures_of_hits_that_were_passed_are_not_drawn(
    page: Any, server: Server, slices: Slices
) -> None:
    visit(page, server)
    for number in range(2, 10):
        press(page, "ArrowRight")
        at(page, number)
    page.wait_for_function(
        "document.querySelector('.picture').src.endsWith('/picture/8') && "
        "document.querySelector('.picture').style.visibility === 'visible'"
    )
    run = page.evaluate("document.querySelector('.picture').src").rsplit("/", 2)[0]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{run}/picture/3")
    with urllib.request.urlopen(f"{run}/picture/9") as answer:
        assert answer.headers["Content-Type"] == "image/png"


def error_of(arguments: list[str], capsys: pytest.CaptureFixture) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["label", *arguments])
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_what_cannot_be_labelled_is_one_line(
    slices: Slices, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert error_of([str(slices.audio), "--port", port], capsys) == (
            f"drum2midi: port {port} is in use; choose another with --port\n"
        )
    assert not (tmp_path / "song-slices").exists()
    assert error_of([str(tmp_path)], capsys) == (
        f"drum2midi: {tmp_path}: not a folder that drum2midi slice wrote\n"
    )
    assert "no such file" in error_of([str(tmp_path / "no.wav")], capsys)
    for name in ("", "a" * 300):
        assert "is not a name" in error_of(
            [str(tmp_path / "hits"), "--who", name, "--port", "0"], capsys
        )
    assert "--merge needs -o FILE" in error_of(["a.json", "--merge"], capsys)
    assert "one folder or song at a time" in error_of(["a", "b"], capsys)


def test_labels_are_merged(slices: Slices, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    files = []
    for who, drums in (("anna", (KICK,)), ("ben", (SNARE,))):
        files.append(tmp_path / f"{who}.json")
        said = (Label(0.25, (KICK,), None, who), Label(0.75, drums, None, who))
        write(Labels(slices.audio, said), files[-1])
    main_output = tmp_path / "both.json"
    with pytest.raises(SystemExit) as caught:
        main(["label", "--merge", *map(str, files), "-o", str(main_output)])
    assert caught.value.code == 0
    said = capsys.readouterr()
    assert said.err == "left out, 0.750 s: anna: kick; ben: snare\n"
    assert said.out == f"{main_output}: 1 labels, 1 left out as disputed\n"
    assert read_labels(main_output).labels == (Label(0.25, (KICK,), None, "anna, ben"),)
    # Again over what was merged, but not over what somebody else has said, nor the slices.
    with pytest.raises(SystemExit) as caught:
        main(["label", "--merge", *map(str, files), "-o", str(main_output)])
    assert caught.value.code == 0
    capsys.readouterr()
    cleo = tmp_path / "cleo.json"
    write(Labels(slices.audio, (Label(0.25, (KICK,), None, "cleo"),)), cleo)
    merging = ["--merge", *map(str, files), "-o"]
    assert error_of([*merging, str(cleo)], capsys) == (
        f"drum2midi: cannot write {cleo}: it has labels of cleo, which are not merged\n"
    )
    index = tmp_path / "hits" / "slices.json"
    assert f"cannot write {index}: it is there already" in error_of([*merging, str(index)], capsys)


def test_a_song_that_was_replaced_is_said(
    slices: Slices, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert slices.seconds == pytest.approx(soundfile.info(slices.audio).duration, abs=0.02)
    rate = 22050
    soundfile.write(slices.audio, np.zeros(3 * rate), rate)
    said = error_of([str(tmp_path / "hits"), "--who", "anna", "--port", "0"], capsys)
    assert said == (
        f"drum2midi: {slices.audio}: 3.0 s long, but what was sliced had {slices.seconds:.1f} s; "
        "slice it anew, or give it its old name back\n"
    )
