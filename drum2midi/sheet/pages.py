"""Pages: a drum sheet as SVG or PDF, engraved by verovio. Importing this module imports it.

verovio's SVG needs a web browser: it nests one drawing in another, leaves the looks to a
style sheet and takes the note of a tempo mark from a font that it would have to embed.
What is written here is plain: one drawing, its texts placed one by one, every musical
sign a path. Any program shows it alike, and the PDF is made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise
from typing import Final
from xml.etree import ElementTree as ET

import verovio

from drum2midi.drums import Drum
from drum2midi.files import WRITTEN_BY
from drum2midi.sheet.legend import HEIGHT, draw_legend
from drum2midi.sheet.svg import (
    NAMESPACE,
    PER_MM,
    TEXT,
    resources,
    sign_at,
    sign_widths,
    tag,
    text_at,
    text_widths,
)

_MARGIN_MM: Final = 15
MARGIN: Final = _MARGIN_MM * PER_MM
"""Where the drawing's own coordinates begin on the page, from the left and from the top."""

_COMPOSER_SIZE, _COMPOSER_LINE = 380, 900
_SIZES_MM: Final = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
_SMUFL_FONT: Final = "Leipzig"
_BEAM: Final = "beam[@number='1']"
_PLACE: Final = re.compile(r"translate\([-\d.]+, ([-\d.]+)\)")

# What verovio's style sheet says of the texts in these groups.
_BOLD: Final = {"tempo", "reh", "ending"}
_ITALIC: Final = {"mNum", "dir", "dynam"}


def draw_pages(
    musicxml: bytes, *, paper: str, composer: str = "", drums: Sequence[Drum] = ()
) -> list[ET.Element]:
    """Engrave a sheet.

    Parameters
    ----------
    musicxml : bytes
    paper : {"a4", "letter"}
    composer : str
        Named above the first system, which verovio would leave out.
    drums : sequence of Drum
        What the key at the foot of the last page explains.

    Returns
    -------
    list of Element
        An ``<svg>`` for each page, a hundred units to the millimetre.
    """
    score = _for_verovio(musicxml)
    width, height = (side - 2 * _MARGIN_MM for side in _SIZES_MM[paper])
    drawn = _engrave(score, width, height)
    top = height * PER_MM - HEIGHT
    if drums and _bottom(drawn[-1]) > top:  # leave room for the key on every page
        drawn = _engrave(score, width, height - HEIGHT / PER_MM)
    pages = [_plain(page, *_SIZES_MM[paper]) for page in drawn]
    if drums:
        definitions, ink = pages[-1]
        ink.append(draw_legend(drums, top, definitions=definitions))
    if composer:
        right = width * PER_MM
        words = text_at(composer, right, _COMPOSER_LINE, size=_COMPOSER_SIZE, anchor="end")
        pages[0][-1].append(words)
    for text in pages[0].iter(TEXT):
        _fit(text, width * PER_MM)
    return pages


def _fit(text: ET.Element, room: float) -> None:
    """Set a text that is too long for the page, as a title can be, in a smaller size."""
    size = float(text.get("font-size", 0))
    width = _Run(text.text or "", _Style(size=size), None).width
    if width > room:
        text.set("font-size", f"{size * room / width:g}")


def _engrave(score: str, width: float, height: float) -> list[ET.Element]:
    """verovio's own pages of a size in millimetres."""
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setResourcePath(str(resources()))  # only the thread that imported it knows
    toolkit.setOptions(
        {
            **{f"pageMargin{side}": 0 for side in ("Top", "Bottom", "Left", "Right")},
            "pageWidth": round(10 * width),
            "pageHeight": round(10 * height),
            "bottomMarginHeader": 5,
            "footer": "none",
            "multiRestStyle": "block",
            "smuflTextFont": "none",
            "svgFormatRaw": True,
            "svgRemoveXlink": True,
            "xmlIdSeed": 1,
        }
    )
    toolkit.loadData(score)
    return [ET.fromstring(toolkit.renderToSVG(page + 1)) for page in range(toolkit.getPageCount())]


def _bottom(page: ET.Element) -> float:
    """Where the lowest sign of a page is."""
    places = (_PLACE.match(element.get("transform", "")) for element in page.iter(tag("use")))
    return max((float(place[1]) for place in places if place), default=0.0) + 2 * PER_MM


def _for_verovio(musicxml: bytes) -> str:
    root = ET.fromstring(musicxml)
    _gather_rests(root)
    _beam_over_rests(root)
    return ET.tostring(root, encoding="unicode")


def _gather_rests(root: ET.Element) -> None:
    """Put the silent bars of a section that follow each other under one sign.

    Only on these pages: players of MusicXML drop such bars.
    """
    measures = list(root.iter("measure"))
    sections = accumulate(map(_has_letter, measures))
    alike = groupby(zip(measures, sections, strict=True), lambda bar: (_is_silent(bar[0]), bar[1]))
    for (silent, _), run in alike:
        bars = [measure for measure, _ in run]
        if silent and len(bars) > 1:
            attributes = ET.Element("attributes")
            style = ET.SubElement(attributes, "measure-style")
            ET.SubElement(style, "multiple-rest").text = str(len(bars))
            # After the letter: verovio leaves out what is said within a rest of several bars.
            bars[0].insert(_has_letter(bars[0]), attributes)


def _beam_over_rests(root: ET.Element) -> None:
    """Begin on the rest before it each beam that begins within a tuplet and goes on after it.

    Only on these pages: verovio would put the whole beam into the tuplet, and its number over
    notes that are none of it.
    """
    for measure in root.iter("measure"):
        voices: dict[str | None, list[ET.Element]] = {}
        for note in measure.iter("note"):
            if note.find("chord") is None and note.find("grace") is None:
                voices.setdefault(note.findtext("voice"), []).append(note)
        for notes in voices.values():
            for index, (rest, first) in enumerate(pairwise(notes)):
                begins = _is_edge(rest, "start") and rest.find("rest") is not None
                if begins and first.findtext(_BEAM) == "begin":
                    last = next((n for n in notes[index + 1 :] if _is_edge(n, "stop")), first)
                    if last.findtext(_BEAM) in ("begin", "continue"):
                        _begin_beam(rest, first)


def _is_edge(note: ET.Element, edge: str) -> bool:
    """Whether a tuplet has its ``"start"`` or its ``"stop"`` there."""
    return note.find(f"notations/tuplet[@type='{edge}']") is not None


def _begin_beam(rest: ET.Element, note: ET.Element) -> None:
    """Move the beginning of a beam from a note to the rest before it."""
    beam = ET.Element("beam", number="1")
    beam.text = "begin"
    rest.insert([child.tag for child in rest].index("notations"), beam)
    for moved in note.findall(_BEAM):
        moved.text = "continue"


def _is_silent(measure: ET.Element) -> bool:
    """Whether a bar has a rest and nothing else that would have to be said within, like a tempo."""
    inside = [child.tag for child in measure if child.tag != "barline" and not _is_letter(child)]
    return (
        inside == ["note"]
        and measure.find("note/rest[@measure='yes']") is not None
        and measure.find("barline/repeat") is None
    )


def _has_letter(measure: ET.Element) -> bool:
    return any(map(_is_letter, measure))


def _is_letter(child: ET.Element) -> bool:
    return child.find("direction-type/rehearsal") is not None


def mark(number: int) -> str:
    """What the SVG file of a page has near its beginning; pages count from 1."""
    return f"{WRITTEN_BY} page {number} "


def to_bytes(page: ET.Element, number: int) -> bytes:
    """An SVG file of a page."""
    ET.register_namespace("", NAMESPACE)
    drawing: bytes = ET.tostring(page, encoding="utf-8")
    return f"<?xml version='1.0' encoding='utf-8'?>\n<!-- {mark(number)}-->\n".encode() + drawing


def _plain(page: ET.Element, width: float, height: float) -> ET.Element:
    """The drawing that any program shows alike."""
    size = {"width": f"{width}mm", "height": f"{height}mm"}
    box = f"0 0 {width * PER_MM:g} {height * PER_MM:g}"
    drawing = ET.Element(tag("svg"), {**size, "viewBox": box, "version": "1.1"})
    definitions = page.find(tag("defs"))
    inner = page.find(tag("svg"))
    if definitions is None or inner is None:
        raise RuntimeError("this version of verovio draws pages in another way")
    drawing.append(definitions)
    ink = ET.SubElement(drawing, tag("g"), {"fill": "black", "stroke": "black"})
    ink.set("transform", f"translate({MARGIN}, {MARGIN})")
    for child in inner.iterfind(tag("g")):
        ink.extend(_redrawn(child, _Style(), definitions))
    return drawing


@dataclass(frozen=True, slots=True)
class _Style:
    """How a text is set; what is inside another takes its style."""

    family: str = ""
    size: float = 0.0
    bold: bool = False
    italic: bool = False

    def inside(self, element: ET.Element) -> _Style:
        """The style of the texts in an element."""
        kinds = set(element.get("class", "").split())
        weight, slope = element.get("font-weight"), element.get("font-style")
        return replace(
            self,
            family=element.get("font-family", self.family),
            size=float(element.get("font-size", f"{self.size}px").removesuffix("px")),
            bold=weight == "bold" if weight else self.bold or bool(kinds & _BOLD),
            italic=slope == "italic" if slope else self.italic or bool(kinds & _ITALIC),
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """A piece of text in one style; the first one at a place says where that is."""

    text: str
    style: _Style
    place: tuple[float, float, str] | None

    @property
    def is_music(self) -> bool:
        return self.style.family == _SMUFL_FONT

    @property
    def width(self) -> float:
        style = self.style
        widths = sign_widths() if self.is_music else text_widths(style.bold, style.italic)
        return sum(widths.get(character, 0.5) for character in self.text) * self.style.size


def _redrawn(element: ET.Element, style: _Style, definitions: ET.Element) -> Iterator[ET.Element]:
    """An element without what only a browser understands, if anything is left of it."""
    if "placeholder" in element.get("class", ""):
        return
    if element.tag == TEXT:
        yield from _set_text(element, style.inside(element), definitions)
        return
    if element.tag != tag("g"):
        yield element
        return
    group = ET.Element(tag("g"), {"class": element.get("class", "")})
    for child in element:
        group.extend(_redrawn(child, style.inside(element), definitions))
    if len(group):
        yield group


def _set_text(text: ET.Element, style: _Style, definitions: ET.Element) -> Iterator[ET.Element]:
    """The runs of a text, each at its own place."""
    for runs in _chunks(_runs(text, style)):
        x, y, anchor = runs[0].place or (0.0, 0.0, "start")
        if len(runs) == 1 and not runs[0].is_music:  # the viewer knows its font's widths best
            yield _set_run(runs[0], x, y, anchor)
            continue
        width = sum(run.width for run in runs)
        x -= {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
        for run in runs:
            if run.is_music:
                yield from _set_signs(run, x, y, definitions)
            elif run.text.strip():
                indent = len(run.text) - len(run.text.lstrip())
                shift = replace(run, text=run.text[:indent]).width
                yield _set_run(run, x + shift, y, "start")
            x += run.width


def _runs(element: ET.Element, style: _Style) -> Iterator[_Run]:
    """The texts in an element, in order."""
    place = None
    if "x" in element.attrib or "y" in element.attrib:  # verovio leaves out a zero
        anchor = element.get("text-anchor", "start")
        place = float(element.get("x", 0)), float(element.get("y", 0)), anchor
    if element.text:
        yield _Run(element.text.replace("\N{NO-BREAK SPACE}", " "), style, place)
        place = None
    for child in element:
        if child.tag == tag("tspan"):
            for run in _runs(child, style.inside(child)):
                yield replace(run, place=run.place or place)
                place = None


def _chunks(runs: Iterable[_Run]) -> list[list[_Run]]:
    """Runs that follow each other on one line."""
    chunks: list[list[_Run]] = []
    for run in runs:
        if run.place is not None or not chunks:
            chunks.append([])
        chunks[-1].append(run)
    return chunks


def _set_run(run: _Run, x: float, y: float, anchor: str) -> ET.Element:
    style = run.style
    return text_at(
        run.text, x, y, size=style.size, anchor=anchor, bold=style.bold, italic=style.italic
    )


def _set_signs(run: _Run, x: float, y: float, definitions: ET.Element) -> Iterator[ET.Element]:
    for sign in run.text:
        drawn = sign_at(sign, x, y, size=run.style.size, definitions=definitions)
        if drawn is not None:
            yield drawn
        x += replace(run, text=sign).width
