"""A disk that is full while a stem is written: one line, and nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("resource", reason="needs limits as on Unix")

WRITE = """
import resource, sys
from pathlib import Path
import numpy as np
from drum2midi.errors import InputError
from drum2midi.separation import _Sound, _write, export_stem

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
source, target = map(Path, sys.argv[1:])
try:
    if target.name == "drums.flac":
        export_stem(source, target)
    else:
        noise = np.random.default_rng(0).normal(size=(100_000, 1)).astype(np.float32)
        _write(target, _Sound(44100, 1, len(noise), 0.0, 1.0), iter([noise]), None)
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["drums.flac", "cached.wav"])
def test_a_stem_on_a_full_disk(tmp_path: Path, name: str) -> None:
    stem, target = tmp_path / "stem.wav", tmp_path / "out" / name
    target.parent.mkdir()
    noise = np.random.default_rng(0).normal(0.0, 0.1, 200_000).astype(np.float32)
    soundfile.write(stem, noise, 44100, subtype="FLOAT")
    ran = subprocess.run(
        [sys.executable, "-c", WRITE, str(stem), str(target)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith(f"cannot write {target}: ")
    assert ran.stderr == ""
    if name == "drums.flac":  # the cache's own writer tidies up behind the other
        assert list(target.parent.iterdir()) == []
