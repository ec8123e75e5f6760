"""PDF: pages that `drum2midi.sheet.pages` drew, in one file with its fonts inside."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from xml.etree import ElementTree as ET

from fpdf import FPDF
from fpdf.svg import SVGObject

from drum2midi.sheet.pages import MARGIN
from drum2midi.sheet.svg import PER_MM, TEXT, resources

_POINTS_PER_UNIT: Final = 72 / 25.4 / PER_MM
_FONT: Final = "Liberation"
_FONT_FACE: Final = re.compile(
    r"base64,(?P<data>[^)]+)\).*?font-weight: (?P<weight>\w+).*?font-style: (?P<slope>\w+)",
    re.DOTALL,
)


def to_bytes(pages: Sequence[ET.Element], *, title: str, author: str = "") -> bytes:
    """A PDF file of drawn pages."""
    document = FPDF(unit="pt")
    document.set_title(title)
    if author:
        document.set_author(author)
    document.set_creator("drum2midi")
    document.set_margin(0)
    document.set_auto_page_break(False)
    _add_fonts(document)
    for page in pages:
        width, height = (float(side) for side in page.get("viewBox", "").split()[2:])
        document.add_page(format=(width * _POINTS_PER_UNIT, height * _POINTS_PER_UNIT))
        _draw(page, document)
    return bytes(document.output())


def _draw(page: ET.Element, document: FPDF) -> None:
    SVGObject(ET.tostring(_without_texts(page))).draw_to_page(document)
    for text in page.iter(TEXT):
        _write(text, document)


def _without_texts(page: ET.Element) -> ET.Element:
    """The same drawing without its texts, which `fpdf` sets better by itself."""
    bare = ET.Element(page.tag, page.attrib)
    bare.extend(_without_texts(child) for child in page if child.tag != TEXT)
    return bare


def _write(text: ET.Element, document: FPDF) -> None:
    bold, italic = (text.get(f"font-{kind}") for kind in ("weight", "style"))
    size = float(text.get("font-size", 0)) * _POINTS_PER_UNIT
    document.set_font(_FONT, f"{'B' if bold else ''}{'I' if italic else ''}", size)
    words = text.text or ""
    shares = {"middle": 0.5, "end": 1.0}
    before = shares.get(text.get("text-anchor", ""), 0.0) * document.get_string_width(words)
    x, y = ((float(text.get(axis, 0)) + MARGIN) * _POINTS_PER_UNIT for axis in "xy")
    document.text(x - before, y, words)


def _add_fonts(document: FPDF) -> None:
    """The fonts whose widths verovio reckons with; they come with it, inside a style sheet."""
    styles = (resources() / f"{_FONT}.css").read_text("ascii")
    with TemporaryDirectory() as folder:
        for face in _FONT_FACE.finditer(styles):
            style = f"{'B' * (face['weight'] == 'bold')}{'I' * (face['slope'] == 'italic')}"
            file = Path(folder) / f"{_FONT}{style}.woff2"
            file.write_bytes(base64.b64decode(face["data"]))
            document.add_font(_FONT, style, file)
