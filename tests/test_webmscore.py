"""MuseScore 4's engine plays the same strokes from every written case.

Needs node and the npm package webmscore, found through NODE_PATH or beside the tests.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import mido
import pytest
from scores import CASES
from test_sheet import INEXACT, played_notes

from drum2midi.sheet import write_sheet

TREMOLOS = [name for name, case in CASES.items() if case.tremolos and name not in INEXACT]

# Node has a `fetch` of its own, with which the package would look for its files on the net.
SCRIPT = """
globalThis.fetch = undefined;
const fs = require('fs');
const engine = require('webmscore').default || require('webmscore');
(async () => {
  await engine.ready;
  for (const path of process.argv.slice(1)) {
    const score = await engine.load('musicxml', fs.readFileSync(path));
    const midi = await score.saveMidi(true, true);  // score.destroy() breaks the next load
    fs.writeFileSync(path.replace('.musicxml', '.mid'), Buffer.from(midi));
  }
  process.exit(0);
})().catch(error => { console.error(error); process.exit(1); });
"""


def node(*arguments: str, timeout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=Path(__file__).parent,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the engine plays, by the name of the case."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if node("-e", "require.resolve('webmscore')", timeout=60).returncode:
        pytest.skip("the npm package webmscore is not installed, or not in NODE_PATH")
    folder = tmp_path_factory.mktemp("webmscore")
    sheets = {name: folder / f"{index}.musicxml" for index, name in enumerate(CASES)}
    for name, path in sheets.items():
        write_sheet(CASES[name].read(), path)
    for name in TREMOLOS:
        sheets[f"{name} as a tremolo"] = path = folder / f"tremolo-{len(sheets)}.musicxml"
        write_sheet(CASES[name].read(), path, rolls="tremolo")
    done = node("-e", SCRIPT, *map(str, sheets.values()), timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: path.with_suffix(".mid") for name, path in sheets.items()}


@pytest.mark.parametrize("name", [*CASES, *(f"{name} as a tremolo" for name in TREMOLOS)])
def test_the_same_strokes(name: str, played: dict[str, Path]) -> None:
    heard = sorted(played_notes(mido.MidiFile(played[name])))
    case = CASES[name.removesuffix(" as a tremolo")]
    song = case.read()
    wanted = sorted(
        (n.drum.midi, float(song.grid.bar_quarters[n.bar] + n.position)) for n in song.notes
    )
    assert [drum for drum, _ in heard] == [drum for drum, _ in wanted]
    # Grace notes may take time of the main stroke, and a tremolo's strokes are rounded.
    late = 0.3 if case.graces else 0.05 if case.tremolos else 0.01
    for (_, at), (_, place) in zip(heard, wanted, strict=True):
        assert abs(at - place) < late
