"""Song set: songs that others wrote as MIDI, their drums played on kits no model trained on.

    python -m drum2midi.training.song_set OUT SONG.mid... GAME.wad... --oneshots DIR \
        --impulses DIR --kit NAME [--kit NAME ...] --soundfont FILE.sf2

Writes ``OUT/NAME.flac``, the mix, and ``OUT/NAME.mid`` beside it: its strokes, tempi and
metres. ``drum2midi evaluate OUT`` scores a model on that. Songs are ``.mid`` files and those in
Doom's archives (``.wad``; Debian's ``freedoom`` has 60 with drums, free): a whole band plays what
`drum2midi.training.accompany` makes up, and drums are as programmers write them. FluidSynth plays
all but the kit, hand percussion too; use a soundfont that trained nothing.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import mido
import numpy as np
import soundfile
import typer

from drum2midi.drums import BY_MIDI, CHANNEL
from drum2midi.errors import InputError
from drum2midi.files import replacing
from drum2midi.references import parse_midi
from drum2midi.training import oneshots, render
from drum2midi.training.accompany import synthesiser
from drum2midi.training.grooves import Stroke
from drum2midi.training.pieces import read_impulses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

RATE: Final = 44100
UNDER_DB: Final = 2.1
"""How far the drums lie under the rest, as in the rebuilt mixes of MDB Drums that we know."""

_LONGEST: Final = 150.0
_TAIL: Final = 2.0
_FEWEST: Final = 60  # kicks and snares without which a song has no drums to speak of
_TREATMENT: Final = 0.5
_PEAK: Final = 0.8
_HARDLY: Final = 1e-6  # seconds by which sums of times may differ
USUAL_TEMPO: Final = 500_000  # microseconds in a quarter, until a file says otherwise
_WAD: Final = {b"IWAD", b"PWAD"}
_MIDI: Final = b"MThd"


@dataclass(frozen=True)
class Song:
    """A song with a kit.

    Attributes
    ----------
    name : str
    drums, band : MidiFile
        The kit alone, and all the rest; both keep tempi and metres.
    strokes : tuple of Stroke
        What of the kit is played: seconds, one of a drum at a time.
    """

    name: str
    drums: mido.MidiFile
    band: mido.MidiFile
    strokes: tuple[Stroke, ...]


def read_songs(files: Iterable[Path]) -> Iterator[Song]:
    """Songs with a drum kit, of MIDI files and of archives of them.

    Parameters
    ----------
    files : iterable of Path
        ``.mid`` or ``.wad``.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    for path in files:
        try:
            stored = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        songs = _lumps(path, stored) if stored[:4] in _WAD else [(path.stem, stored)]
        for name, content in songs:
            whole = parse_midi(content, f"{path}: {name}")
            drums = _keep(whole, kit=True)
            strokes = _strokes(drums)
            if sum(stroke.drum.scoring in ("KD", "SD") for stroke in strokes) >= _FEWEST:
                yield Song(name, drums, _keep(whole, kit=False), strokes)


def _lumps(path: Path, stored: bytes) -> Iterator[tuple[str, bytes]]:
    """The MIDI files in a Doom archive; music in Doom's own format is passed over."""
    try:
        count, first = struct.unpack_from("<ii", stored, 4)
        entries = [struct.unpack_from("<ii8s", stored, first + 16 * i) for i in range(count)]
    except struct.error:
        raise InputError(f"{path}: the archive is damaged") from None
    seen = set()
    for start, size, name in entries:
        content = stored[start : start + size]
        if content[:4] == _MIDI and content not in seen:
            seen.add(content)
            plain = re.sub(rb"[^A-Za-z0-9_]", b"-", name.split(bytes(1))[0]).decode("ascii")
            yield f"{path.stem}-{plain}".lower(), content


def _is_stroke(message: Any) -> bool:
    return message.type == "note_on" and bool(message.velocity)


def _keep(song: mido.MidiFile, *, kit: bool) -> mido.MidiFile:
    """A song with nothing but its kit, or all but that."""
    kept = mido.MidiFile(type=song.type, ticks_per_beat=song.ticks_per_beat)
    for track in song.tracks:
        own, waited = mido.MidiTrack(), 0
        for message in track:
            waited += message.time
            notes = message.type in ("note_on", "note_off")
            of_kit = notes and message.channel == CHANNEL and message.note in BY_MIDI
            if message.is_meta or of_kit is kit:
                own.append(message.copy(time=waited))
                waited = 0
        kept.tracks.append(own)
    return kept


def render_set(
    out: Path,
    songs: Iterable[Song],
    library: oneshots.Library,
    impulses: Path,
    soundfont: Path,
    *,
    under_db: float = UNDER_DB,
    seed: int = 0,
) -> int:
    """Play songs, the first two and a half minutes of each; return how many.

    Parameters
    ----------
    out : Path
        Folder for ``NAME.flac`` and ``NAME.mid``.
    songs : iterable of Song
    library : Library
        One-shots of the kits to play on.
    impulses : Path
        Folder of room impulse responses.
    soundfont : Path
        What plays the rest.
    under_db : float
        How far the drums lie under it.
    seed : int
        With the song's name, decides its kit, tuning and room.

    Raises
    ------
    InputError
        If material is missing.
    """
    rooms = read_impulses(impulses)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from None
    done = set[str]()
    for song in songs:
        if song.name in done:
            raise InputError(f"{out / song.name}: two songs of this name")
        rng = np.random.default_rng((seed, zlib.crc32(song.name.encode())))
        seconds = song.strokes[-1].onset + _TAIL
        kit = oneshots.draw_kit(library, rng, loyalty=1.0)
        played = render.render(song.strokes, kit, rooms, rng, seconds=seconds, rate=RATE,
                               window=1, treatment=_TREATMENT)  # fmt: skip
        mix = _mix(played.audio, play_band(song.band, soundfont, seconds), under_db)
        with replacing(out / f"{song.name}.flac") as target:
            soundfile.write(target, mix, RATE)
        with replacing(out / f"{song.name}.mid") as target:
            _until(song.drums, song.strokes[-1].onset + _HARDLY).save(target)
        done.add(song.name)
    return len(done)


def _strokes(drums: mido.MidiFile) -> tuple[Stroke, ...]:
    """The kit's strokes, one of a drum at a time, as far as they are played."""
    now, last, strokes = 0.0, dict.fromkeys(BY_MIDI.values(), -1.0), []
    for message in drums:
        now += message.time
        if _is_stroke(message) and now < _LONGEST - _TAIL:
            drum = BY_MIDI[message.note]
            if now > last[drum]:
                strokes.append(Stroke(now, drum, message.velocity))
            last[drum] = now
    return tuple(strokes)


def _until(song: mido.MidiFile, seconds: float) -> mido.MidiFile:
    """A song without what comes later."""
    track = mido.MidiTrack()
    now, waited, tempo = 0.0, 0, USUAL_TEMPO
    for message in mido.merge_tracks(song.tracks):
        waited += message.time
        now += mido.tick2second(message.time, song.ticks_per_beat, tempo)
        if now > seconds:
            break
        if message.type == "set_tempo":
            tempo = message.tempo
        track.append(message.copy(time=waited))
        waited = 0
    return mido.MidiFile(type=0, ticks_per_beat=song.ticks_per_beat, tracks=[track])


def play_band(band: mido.MidiFile, soundfont: Path, seconds: float) -> Audio:
    """What FluidSynth makes of a song's first seconds; float32, shape (n,), mono at `RATE`.

    Raises
    ------
    InputError
        If FluidSynth is not installed, or the soundfont cannot be loaded.
    """
    synth, font = synthesiser(soundfont, rate=RATE)
    try:
        for channel in range(16):
            synth.program_select(channel, font, 128 if channel == CHANNEL else 0, 0)
        length, chunks, written, now = int(seconds * RATE), [], 0, 0.0
        for message in band:
            now += message.time
            upto = min(length, int(now * RATE))
            if upto > written:
                chunks.append(synth.get_samples(upto - written))
                written = upto
            _send(synth, message)
        chunks.append(synth.get_samples(length - written))
    finally:
        synth.delete()
    stereo = np.concatenate(chunks).reshape(-1, 2).astype(np.float32) / 32768.0
    return np.asarray(stereo.mean(axis=1), np.float32)


def _send(synth: Any, message: Any) -> None:
    if message.type == "note_on":
        synth.noteon(message.channel, message.note, message.velocity)
    elif message.type == "note_off":
        synth.noteoff(message.channel, message.note)
    elif message.type == "program_change":
        synth.program_change(message.channel, message.program)
    elif message.type == "control_change":
        synth.cc(message.channel, message.control, message.value)
    elif message.type == "pitchwheel":
        synth.pitch_bend(message.channel, message.pitch)


def _mix(drums: Audio, band: Audio, under_db: float) -> Audio:
    length = min(len(drums), len(band))
    power = [float(np.mean(part[:length] ** 2)) for part in (drums, band)]
    level = np.sqrt(power[1] / power[0]) * 10.0 ** (-under_db / 20.0) if power[1] else 1.0
    mix = drums[:length] * np.float32(level) + band[:length]
    return np.asarray(_PEAK * mix / np.abs(mix).max(), np.float32)


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    songs: Annotated[list[Path], typer.Argument(metavar="SONG.mid|GAME.wad...")],
    oneshots_folder: Annotated[Path, typer.Option("--oneshots")],
    impulses: Annotated[Path, typer.Option()],
    kit: Annotated[list[str], typer.Option(help="A kit to play on; repeatable.")],
    soundfont: Annotated[Path, typer.Option(help="What plays the rest.")],
    under: Annotated[float, typer.Option(help="Decibels of the drums under it.")] = UNDER_DB,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Render songs with the drums on kits that no model has trained on, and their truth."""
    try:
        library = oneshots.load_library(oneshots_folder, only=kit, sample_rate=RATE)
        count = render_set(out, read_songs(songs), library, impulses, soundfont,
                           under_db=under, seed=seed)  # fmt: skip
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {count} songs")


if __name__ == "__main__":
    typer.run(_main)
