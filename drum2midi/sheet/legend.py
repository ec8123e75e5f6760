"""The drum key: a line at the foot of the page that names every drum's notehead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from drum2midi.drums import DRUMS, HANDS, OPEN_HAT, Drum
from drum2midi.sheet.svg import line, sign_at, sign_widths, tag, text_at

HEIGHT: Final = 1720
"""Units of the drawing."""

_SPACE: Final = 120  # between two lines of the small staff
_STAFF: Final = 4 * _SPACE
_TOP: Final = 500  # of the staff: room for stems and what is above
_STEM: Final = 2.5 * _SPACE
_LINE, _STEM_WIDTH = 9, 12
_CELL: Final = 1500  # for each drum
_TEXT_SIZE: Final = 230
_HEADS: Final = {"normal": "\ue0a4", "x": "\ue0a9", "circle-x": "\ue0b3", "diamond": "\ue0db"}
_OPEN: Final = "\ue5e7"


def draw_legend(drums: Sequence[Drum], top: float, *, definitions: ET.Element) -> ET.Element:
    """The key of some drums, in the order from the highest on the staff to the lowest."""
    legend = ET.Element(tag("g"), {"class": "legend"})
    staff = top + _TOP
    width = len(drums) * _CELL
    for index in range(5):
        y = staff + index * _SPACE
        legend.append(line(0, y, width, y, width=_LINE))
    for index, drum in enumerate(sorted(drums, key=_height)):
        middle = (index + 0.5) * _CELL
        legend.extend(_note(drum, middle, staff, definitions))
        name = text_at(drum.name, middle, top + HEIGHT - 80, size=_TEXT_SIZE, anchor="middle")
        legend.append(name)
    return legend


def _height(drum: Drum) -> tuple[int, int]:
    return -_steps(drum), DRUMS.index(drum)


def _steps(drum: Drum) -> int:
    """Steps from the lowest line of the staff, which a treble clef names E4."""
    return 7 * (drum.octave - 4) + "CDEFGAB".index(drum.step) - 2


def _note(drum: Drum, middle: float, staff: float, definitions: ET.Element) -> Iterator[ET.Element]:
    sign = _HEADS[drum.notehead]
    half = sign_widths().get(sign, 0.3) * _STAFF / 2
    y = staff + _STAFF - _steps(drum) * _SPACE / 2
    head = sign_at(sign, middle - half, y, size=_STAFF, definitions=definitions)
    if head is not None:
        yield head
    if _steps(drum) >= 10:
        yield line(middle - 1.6 * half, staff - _SPACE, middle + 1.6 * half, staff - _SPACE,
                   width=_STEM_WIDTH)  # fmt: skip
    up = drum.voice == HANDS
    x = middle + (half if up else -half) * 0.95
    tip = y - _STEM if up else y + _STEM
    yield line(x, y, x, tip, width=_STEM_WIDTH)
    if drum == OPEN_HAT:
        width = sign_widths().get(_OPEN, 0.3) * _STAFF
        ring = sign_at(_OPEN, x - width / 2, tip - _SPACE / 2, size=_STAFF, definitions=definitions)
        if ring is not None:
            yield ring
