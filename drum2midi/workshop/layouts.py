"""Layouts: readers of published data sets, as they are once unpacked.

=============  =============================================================================
ENST-Drums     ``drummer_1/annotation/NAME.txt`` ("seconds code" lines) beside
               ``drummer_1/audio/wet_mix/NAME.wav``; O. Gillet and G. Richard, ISMIR 2006
IDMT-SMT       ``annotation_xml/NAME.xml`` (events with onsetSec and instrument) beside
-Drums         ``audio/NAME.wav``; C. Dittmar and D. Gärtner, DAFx 2014
MDB Drums      ``annotations/subclass/NAME_subclass.txt`` beside
               ``audio/drum_only/NAME_Drum.wav`` and ``audio/full_mix/NAME_MIX.wav``;
               C. Southall et al., ISMIR 2017
Groove, E-GMD  a ``.csv`` with the columns midi_filename, audio_filename, split;
               J. Gillick et al., ICML 2019; L. Callender et al., 2020
=============  =============================================================================
"""

from __future__ import annotations

import csv
import re
import xml.sax
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from drum2midi import drums
from drum2midi.errors import InputError
from drum2midi.workshop.lines import as_text
from drum2midi.workshop.material import Recording, Stroke
from drum2midi.workshop.scores import check_inside, read_midi_strokes
from drum2midi.workshop.sounds import Sound, meaning
from drum2midi.workshop.splits import SPLITS

_SNARE: Final[Sound] = (drums.SNARE,)
_STICK: Final[Sound] = (drums.CROSS_STICK,)
_CRASH: Final[Sound] = (drums.CRASH,)
_RIDE: Final[Sound] = (drums.RIDE,)
_HIGHER_TOMS: Final[Sound] = (drums.HIGH_TOM, drums.MID_TOM)
_LOWER_TOMS: Final[Sound] = (drums.MID_TOM, drums.FLOOR_TOM)
_CYMBALS: Final[Sound] = (drums.CRASH, drums.RIDE, drums.RIDE_BELL)
_RIDES: Final[Sound] = (drums.RIDE, drums.RIDE_BELL)

# An empty sound is struck, but on nothing of the kit. Numbers at the end tell cymbals apart.
_ENST: Final[Mapping[str, Sound]] = {
    "bd": (drums.KICK,), "sd": _SNARE, "sd-": _SNARE, "rs": _SNARE, "cs": _STICK, "sweep": _SNARE,
    "chh": (drums.CLOSED_HAT,), "ohh": (drums.OPEN_HAT,), "mt": _HIGHER_TOMS,
    "lmt": _HIGHER_TOMS, "lt": _LOWER_TOMS, "lft": (drums.FLOOR_TOM,), "mtr": (), "lmtr": (),
    "ltr": (), "lftr": (), "rc": _RIDES, "cr": _CRASH, "ch": _CRASH, "spl": _CRASH, "c": _CYMBALS,
    "cb": (), "sticks": (), "tambourine": (),
}  # fmt: skip
_MDB: Final[Mapping[str, Sound]] = {
    "KD": (drums.KICK,), "SD": _SNARE, "SDB": _SNARE, "SDD": _SNARE, "SDF": _SNARE,
    "SDG": _SNARE, "SDNS": _SNARE, "SST": _STICK, "CHH": (drums.CLOSED_HAT,),
    "OHH": (drums.OPEN_HAT,), "PHH": (drums.PEDAL_HAT,), "HIT": (drums.HIGH_TOM,),
    "MHT": _HIGHER_TOMS, "HFT": _LOWER_TOMS, "LFT": (drums.FLOOR_TOM,), "RDC": _RIDE,
    "RDB": (drums.RIDE_BELL,), "CRC": _CRASH, "CHC": _CRASH, "SPC": _CRASH,
    "TMB": (), "OT": (),
}  # fmt: skip
_IDMT: Final[Mapping[str, Sound]] = {
    "KD": (drums.KICK,), "SD": _SNARE,
    "HH": (drums.CLOSED_HAT, drums.OPEN_HAT, drums.PEDAL_HAT),
}  # fmt: skip


def read_layout(folder: Path) -> tuple[Recording, ...] | None:
    """Read a published data set, or return None if the folder is laid out as none of them.

    Raises
    ------
    InputError
        For a line that cannot be understood or audio that is missing, with file and line.
    """
    if any(folder.glob("drummer_*/annotation")):
        return tuple(_enst(folder))
    if (folder / "annotation_xml").is_dir():
        return tuple(_idmt(folder))
    for root in (folder, folder / "MDB Drums"):
        if (root / "annotations" / "subclass").is_dir():
            return tuple(_mdb(root))
    for index in sorted(path for path in folder.glob("*.csv") if path.is_file()):
        columns = _columns(index)
        if {"midi_filename", "audio_filename", "split"} <= set(columns):
            return tuple(_groove(index, expanded="kit_name" in columns))
    return None


def _enst(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.glob("drummer_*/annotation/*.txt")):
        drummer = path.parents[1]
        mixes = [drummer / "audio" / mix / f"{path.stem}.wav" for mix in ("wet_mix", "dry_mix")]
        audio = _first(mixes, path)
        strokes = _text_strokes(path, audio, _ENST, strip_numbers=True)
        name = f"{drummer.name}-{path.stem}"
        yield Recording(
            name, audio, strokes, name, path, "ENST-Drums", "research use, by agreement"
        )


def _mdb(root: Path) -> Iterator[Recording]:
    for path in sorted((root / "annotations" / "subclass").glob("*_subclass.txt")):
        song = path.name.removesuffix("_subclass.txt")
        places = [root / "audio" / "drum_only" / f"{song}_Drum.wav",
                  root / "audio" / "full_mix" / f"{song}_MIX.wav"]  # fmt: skip
        _first(places, path)
        for audio in places:
            if audio.is_file():
                yield Recording(
                    audio.stem, audio, _text_strokes(path, audio, _MDB), song, path,
                    "MDB Drums", "CC BY-NC-SA 4.0",
                )  # fmt: skip


def _groove(index: Path, *, expanded: bool) -> Iterator[Recording]:
    with as_text(index), index.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        rows = [(reader.line_num, row) for row in reader]
    for number, row in rows:
        where = f"{index}, line {number}"
        score, sound = row["midi_filename"], row["audio_filename"]
        if not sound or sound == "nan":
            continue  # a few performances were never recorded
        if row["split"] not in SPLITS:
            raise InputError(f"{where}: split {row['split']!r} is not one of {', '.join(SPLITS)}")
        audio = index.parent / sound
        for name in (score, sound):
            if not (index.parent / (name or "")).is_file():
                raise InputError(f"{where}: {name} is not there")
        stem = Path(score).with_suffix("").as_posix()
        # The expanded set plays each performance on many kits, numbered at the end of the name.
        song = re.sub(r"_\d+$", "", stem) if expanded else stem
        yield Recording(
            Path(sound).with_suffix("").as_posix(), audio,
            read_midi_strokes(index.parent / score, audio), song, index.parent / score,
            "Expanded Groove MIDI Dataset" if expanded else "Groove MIDI Dataset", "CC BY 4.0",
            row["split"],
        )  # fmt: skip


def _columns(path: Path) -> Sequence[str]:
    """The fields of the first line; none of a file that is no table of ours."""
    with path.open(newline="", encoding="utf-8", errors="replace") as lines:
        try:
            return next(csv.reader(lines), [])
        except csv.Error:
            return []


def _first(places: Sequence[Path], labels: Path) -> Path:
    for place in places:
        if place.is_file():
            return place
    raise InputError(f"{labels}: its audio {places[0]} is not there")


def _text_strokes(
    path: Path, audio: Path, codes: Mapping[str, Sound], *, strip_numbers: bool = False
) -> tuple[Stroke, ...]:
    """Strokes of a text file with a line "seconds code" for each."""
    strokes = []
    with as_text(path):
        text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        where = f"{path}, line {number}"
        onset = _seconds(parts[0], where)
        code = parts[1] if len(parts) == 2 else ""
        plain = code.rstrip("0123456789") if strip_numbers else code
        if plain not in codes:
            raise InputError(f"{where}: not 'seconds code' of a known drum: {line.strip()!r}")
        check_inside(onset, audio, where)
        if codes[plain]:
            strokes.append(Stroke(onset, codes[plain], line=number))
    return tuple(sorted(strokes, key=lambda stroke: stroke.onset))


def _seconds(text: str, where: str) -> float:
    try:
        onset = float(text)
    except ValueError:
        onset = -1.0
    if not 0.0 <= onset < float("inf"):
        raise InputError(f"{where}: {text!r} is not a time in seconds")
    return onset


def _idmt(folder: Path) -> Iterator[Recording]:
    for path in sorted((folder / "annotation_xml").glob("*.xml")):
        events, named = _read_events(path)
        names = [named, f"{path.stem}.wav"]
        audio = _first([folder / "audio" / name for name in names if name], path)
        strokes = []
        for number, onset, instrument in events:
            where = f"{path}, line {number}"
            sound = _IDMT.get(instrument) or meaning(instrument)
            if sound is None:
                raise InputError(f"{where}: unknown instrument {instrument!r}")
            seconds = _seconds(onset, where)
            check_inside(seconds, audio, where)
            strokes.append(Stroke(seconds, sound, line=number))
        strokes.sort(key=lambda stroke: stroke.onset)
        song = path.stem.partition("#")[0]
        yield Recording(
            path.stem, audio, tuple(strokes), song, path, "IDMT-SMT-Drums", "CC BY-NC-ND 4.0"
        )


class _Events(xml.sax.ContentHandler):
    """The events of an IDMT annotation, with their lines."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[int, str, str]] = []
        self.audio = ""
        self._text = ""
        self._event: dict[str, str] = {}
        self._line = 0
        self._locator: xml.sax.xmlreader.Locator | None = None

    def setDocumentLocator(self, locator: xml.sax.xmlreader.Locator) -> None:  # noqa: N802
        self._locator = locator

    def startElement(self, name: str, attrs: xml.sax.xmlreader.AttributesImpl) -> None:  # noqa: N802
        self._text = ""
        if name == "event":
            self._event = {}
            self._line = (self._locator and self._locator.getLineNumber()) or 0

    def characters(self, content: str) -> None:
        self._text += content

    def endElement(self, name: str) -> None:  # noqa: N802
        if name == "event":
            onset, instrument = self._event.get("onsetSec", ""), self._event.get("instrument", "")
            self.events.append((self._line, onset, instrument))
        elif name == "audioFileName":
            self.audio = self._text.strip()
        else:
            self._event[name] = self._text.strip()


def _read_events(path: Path) -> tuple[list[tuple[int, str, str]], str]:
    handler = _Events()
    try:
        xml.sax.parse(str(path), handler)
    except xml.sax.SAXParseException as error:
        line, reason = error.getLineNumber(), error.getMessage()
        raise InputError(f"{path}, line {line}: not XML ({reason})") from None
    return handler.events, handler.audio
