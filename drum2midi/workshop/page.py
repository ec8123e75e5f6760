"""The labelling page, served to this machine only. Importing this module imports NiceGUI.

It draws the state of a `LabellingSession` and passes keys and clicks on to it; what they
mean, and what is on the disk, is the session's affair.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import resources
from typing import Final
from uuid import uuid4

from fastapi import Response
from fastapi.responses import PlainTextResponse
from nicegui import Client, app, background_tasks, ui
from nicegui.elements.mixins.text_element import TextElement
from starlette.middleware.trustedhost import TrustedHostMiddleware

from drum2midi.drums import DRUMS, Drum
from drum2midi.errors import InputError
from drum2midi.workshop.labelling import DRUM_KEYS
from drum2midi.workshop.labels import Label, article_text, labels_text
from drum2midi.workshop.session import LabellingSession
from drum2midi.workshop.views import Views

HOST: Final = "127.0.0.1"
_MOVES: Final = ("Enter", "ArrowRight", "ArrowLeft", "u", "Backspace")
_TOO_SOON: Final = (
    "A key came before this hit was seen. Look what is ticked, then press Enter again."
)
_KEY_OF: Final = {drum: key for key, drum in DRUM_KEYS.items()}


def serve(
    session: LabellingSession,
    *,
    port: int = 0,
    browser: bool = True,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the labelling page on the loopback address until Ctrl-C.

    Parameters
    ----------
    session : LabellingSession
    port : int
        0 takes any that is free.
    browser : bool
        Open the page in the user's browser.
    ready : callable
        Told the page's address as soon as it answers.

    Raises
    ------
    InputError
        If the port is in use, or the song cannot be read.
    """
    port = free_port(port)
    run = uuid4().hex[:8]  # keeps what a browser has stored of another song apart
    _serve_files(session, Views(session.slices), run)
    shown: dict[str, _Page] = {}

    @ui.page("/", title=f"{session.slices.audio.name} – drum2midi label", language="en-US")
    def _index(client: Client) -> None:
        shown[client.id] = _Page(session, run, lambda page: _show(shown.values(), page))
        client.on_delete(lambda: shown.pop(client.id, None))

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    app.on_startup(lambda: background_tasks.create(_announce(port, ready)))
    with suppress(KeyboardInterrupt):  # how one stops it
        ui.run(
            host=HOST,
            port=port,
            show=browser,
            reload=False,
            show_welcome_message=False,
            tailwind=False,
            favicon="🥁",
        )


async def _announce(port: int, ready: Callable[[str], None]) -> None:
    """NiceGUI says that it starts; only a connection tells that it answers."""
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        ready(f"http://{HOST}:{port}/")
        return


def _show(pages: Iterable[_Page], acting: _Page) -> None:
    """All pages see what one of them did; only that one plays it."""
    for page in list(pages):
        page.show(plays=page is acting)


def free_port(port: int) -> int:
    """The port if nothing listens on it, or any free one for 0.

    Raises
    ------
    InputError
        If it is in use or not allowed.
    """
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InputError(f"port {port} is in use; choose another with --port") from None
            raise InputError(f"port {port}: {error.strerror}") from None
        return int(probe.getsockname()[1])


def _serve_files(session: LabellingSession, views: Views, run: str) -> None:
    """Sounds, pictures, and the labels to download."""
    kept = {"Cache-Control": "private, max-age=86400"}
    count = len(session.slices.slices)

    def of_slice(path: str, make: Callable[[int], bytes | None], media: str) -> None:
        @app.get(f"/{run}/{path}/{{index}}")
        def _get(index: int) -> Response:
            try:
                made = make(index) if 0 <= index < count else None
            except OSError:  # a clip that was there when the program started
                made = None
            if made is None:
                return Response(status_code=404)
            return Response(made, media_type=media, headers=kept)

    def picture(index: int) -> bytes | None:
        # Who goes on quickly asks for more pictures than can be drawn; those passed are left out.
        return views.picture(index, wanted=lambda: abs(index - session.state.index) <= 1)

    of_slice("hit", views.hit, "audio/wav")
    of_slice("around", views.around, "audio/wav")
    of_slice("picture", picture, "image/png")

    @app.get("/labels.json")
    def _labels() -> PlainTextResponse:
        return _download(labels_text(session.labels, session.path.parent))

    @app.get("/clips.json")
    def _clips(six: bool = False) -> PlainTextResponse:
        # Its paths are those from the folder that the clips are in.
        folder = session.slices.slices[0].clip.parents[1]
        return _download(article_text(session.clips, folder, six=six))


def _download(text: str) -> PlainTextResponse:
    headers = {"Cache-Control": "no-store"}
    return PlainTextResponse(text, media_type="application/json", headers=headers)


class _Page:
    """One browser's page: built once, then brought up to date after every key."""

    def __init__(
        self, session: LabellingSession, run: str, show_all: Callable[[_Page], object]
    ) -> None:
        self._session, self._run, self._show_all = session, run, show_all
        self._drawn = -1
        self._missed = False
        files = resources.files("drum2midi.workshop")
        ui.add_css(files.joinpath("page.css").read_text(encoding="utf-8"))
        ui.add_body_html(
            f"<script>{files.joinpath('page.js').read_text(encoding='utf-8')}</script>"
        )
        ui.on("press", lambda event: self._press(*event.args))
        self._client = ui.context.client
        with ui.element("div").classes("sheet"):
            self._build_head()
            self._build_sight()
            self._build_drums()
            self._build_actions()
            self._build_foot()
        self.show(plays=False)

    def show(self, *, plays: bool) -> None:
        """Draw the session's state."""
        state = self._session.state
        with self._client:
            self._show_place()
            for drum, button in self._drums.items():
                _set(button, aria_pressed="true" if drum in state.chosen else "false")
            for place, (share, bar) in enumerate(self._heard):
                percent = round(100 * state.current.activations[place])
                share.set_text(f"{percent} %")
                bar.style(f"width: {percent}%")
            ticked = " + ".join(drum.name for drum in DRUMS if drum in state.chosen)
            self._confirm.set_text(f"Confirm: {ticked or 'nothing of the kit here'}")
            velocity = "not said" if state.velocity is None else str(state.velocity)
            self._velocity.set_text(f"Velocity: {velocity}")
            _set(self._undo, disabled=not state.history)
            _set(self._back, disabled=state.index == 0)
            if self._drawn != state.index:
                self._turn(state.index, plays=plays)

    def _show_place(self) -> None:
        state = self._session.state
        count, mark = len(state.slices), state.marks.get(state.index)
        minutes, seconds = divmod(state.current.onset, 60)
        self._place.set_text(f"Hit {state.index + 1} of {count}, at {int(minutes)}:{seconds:06.3f}")
        _set(self._place, data_hit=state.index)
        suggested = {guess.drum for guess in state.current.predictions}
        changed = state.changed and "; changed, Enter confirms"
        said = (
            f"labelled by {mark.who or 'somebody'}{changed or ''}" if isinstance(mark, Label)
            else f"skipped{changed or ''}" if mark
            else "not labelled yet" if state.chosen != suggested
            else "ticked is what the model suggests" if suggested
            else "the model suggests nothing"
        )  # fmt: skip
        self._said.set_text(said)
        done = f"{state.labelled} labelled, {state.skipped} skipped, "
        left = count - len(state.marks)
        self._done.set_text(done + (f"{left} to go" if left else "all done"))
        _set(self._bar, value=len(state.marks), max=count)

    def _turn(self, index: int, *, plays: bool) -> None:
        """Another hit: its picture and its sound, and the next one's beforehand."""
        self._drawn = index
        alt = f"Waveform and mel spectrogram around {self._session.state.current.onset:.3f} seconds"
        _set(self._picture, alt=alt)
        following = min(index + 1, len(self._session.state.slices) - 1)
        script = f"look('/{self._run}/picture/{index}');"
        script += f"fetchSoon('/{self._run}/picture/{following}', '/{self._run}/hit/{following}');"
        if plays:
            script += f"play('/{self._run}/hit/{index}');"
        ui.run_javascript(script)

    def _play(self, what: str) -> None:
        ui.run_javascript(f"play('/{self._run}/{what}/{self._session.state.index}')")

    def _press(self, key: str, shown: int) -> None:
        """Pass a key on to the session; what it cannot do is said on the page."""
        error = ""
        if shown != self._session.state.index:
            # Were a drum's key dropped alone, the next Enter would label the hit without it.
            self._missed |= key not in _MOVES
        elif self._missed and key == "Enter":
            self._missed = False
            error = _TOO_SOON
        else:
            try:
                self._session.press(key)
            except InputError as problem:
                error = str(problem)
        self._error.set_text(_TOO_SOON if self._missed else error)
        self._show_all(self)

    def _build_head(self) -> None:
        session = self._session
        with _row("spread"):
            _text("h1", session.slices.audio.name)
            _text("span", f"labelling as {session.who}, into {session.path.name}").classes("quiet")
        with ui.element("div"):
            self._bar = ui.element("progress").props('aria-label="Hits done"')
            self._done = _text("div").classes("quiet").style("margin-top: 5px").props("role=status")
        self._error = _text("div").classes("error").props("role=alert")
        ui.element("div").classes("error").props("id=silent role=alert")

    def _build_sight(self) -> None:
        with ui.element("section").classes("card").props("aria-label='This hit'"):
            with _row("spread").props("aria-live=polite"):
                self._place = _text("span").classes("hit")
                self._said = _text("span").classes("quiet")
            self._picture = ui.element("img").classes("picture")
            ui.element("audio").props("id=sound preload=auto")
            with _row("spread"):
                with _row():
                    hit = _button("Space", "Play the hit", lambda: self._play("hit"))
                    _set(hit, id="play-hit")
                    around = _button(
                        "W", "Play what is around it too", lambda: self._play("around")
                    )
                    _set(around, id="play-around")
                self._build_velocity()

    def _build_velocity(self) -> None:
        with _row():
            _key_button("−", "Softer", "-")
            self._velocity = _text("span").classes("velocity quiet").props("role=status")
            _key_button("+", "Harder", "+")

    def _build_drums(self) -> None:
        self._drums: dict[Drum, ui.element] = {}
        self._heard: list[tuple[TextElement, ui.element]] = []
        with ui.element("section").classes("card").props("aria-label='What was struck'"):
            _text("h2", "What was struck? Bars show what the model hears.")
            with ui.element("div").classes("drums"):
                for drum in DRUMS:
                    self._drums[drum] = self._build_drum(drum)

    def _build_drum(self, drum: Drum) -> ui.element:
        button = ui.element("button").classes("drum").props("type=button")
        button.on("click", js_handler=_pressing(_KEY_OF[drum]))
        with button:
            _text("kbd", _KEY_OF[drum].upper())
            _text("span", drum.name).classes("name")
            share = _text("span").classes("share")
            with ui.element("span").classes("bar").props("aria-hidden=true"):
                bar = ui.element("div")
        self._heard.append((share, bar))
        return button

    def _build_actions(self) -> None:
        with _row():
            with _key_button("Enter", "", "Enter").classes("main"):
                self._confirm = _text("span")
            _key_button("→", "Skip", "ArrowRight")
            self._back = _key_button("←", "Back", "ArrowLeft")
            self._undo = _key_button("U", "Undo", "u")
            _key_button("Esc", "Untick all", "Escape")

    def _build_foot(self) -> None:
        with _row("footer"):
            _text("span", "Download:").classes("quiet")
            _link("Labels", "/labels.json", self._session.path.name)
            _link("Clips and drums", "/clips.json", "clips.json")
            _link("Clips in six classes", "/clips.json?six=true", "clips-six.json")


def _row(extra: str = "") -> ui.element:
    return ui.element("div").classes(f"row {extra}")


def _text(tag: str, text: str = "") -> TextElement:
    return TextElement(tag=tag, text=text)


def _set(element: ui.element, **attributes: str | int | bool) -> None:
    """Set attributes, whatever is in them; ``_`` in a name stands for ``-``."""
    element.props.update({name.replace("_", "-"): value for name, value in attributes.items()})


def _pressing(key: str) -> str:
    """JavaScript that does what a key does."""
    return f"() => press({json.dumps(key)})"


def _key_button(shown: str, text: str, key: str) -> ui.element:
    """A button that does what a key does."""
    button = ui.element("button").props("type=button").on("click", js_handler=_pressing(key))
    return _labelled(button, shown, text)


def _button(shown: str, text: str, action: Callable[[], object]) -> ui.element:
    button = ui.element("button").props("type=button").on("click", action, args=[])
    return _labelled(button, shown, text)


def _labelled(button: ui.element, shown: str, text: str) -> ui.element:
    with button:
        _text("kbd", shown)
        if text:
            _text("span", text)
    return button


def _link(text: str, address: str, name: str) -> None:
    with ui.element("a").classes("button") as link:
        _text("span", text)
    _set(link, href=address, download=name)
