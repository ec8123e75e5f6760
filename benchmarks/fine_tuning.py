"""What fifteen minutes of a kit teach the model that has never heard it.

    python benchmarks/fine_tuning.py OUT --oneshots DIR --grooves DIR --impulses DIR [--model FILE]

For each of the three kits that are held out of training: a session of grooves of the
training split is rendered, on one tuning, balance and room; 85 % of its songs fine-tune the
model and 15 % choose the epoch and the thresholds; then grooves of the validation split,
played in the same session, are transcribed with the model as it was and as it is. What
is done is kept in OUT, rendering apart from training; --again trains anew.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from sessions import RATE, choose, render_session

from drum2midi.training import oneshots as shots
from drum2midi.workshop.building import BuildSettings, build_dataset
from drum2midi.workshop.dataset import read_dataset
from drum2midi.workshop.fine_tune import FineTuneSettings, find_base, fine_tune
from drum2midi.workshop.material import items_of
from drum2midi.workshop.scoring import Finding, Listener, score

KITS = ("avl-red-zeppelin", "h2-bja-pacific", "h2-gmrockkit")


def found(folder: Path, model: Path | None) -> Finding:
    """The strokes that a model finds in a folder of pairs."""
    items, _ = items_of(folder, "all")
    finding = score(items, Listener.load(model), classes="five").finding
    assert finding is not None
    return finding


def render(out: Path, kit: str, library: shots.Library, grooves: Path, impulses: Path) -> None:
    """A session of fifteen minutes to learn from and five to be tested on."""
    seed = KITS.index(kit)
    parts = {
        "train": choose(grooves, "train", 15, seed=seed),
        "test": choose(grooves, "validation", 5, seed=seed),
    }
    render_session(out / kit, library, kit, impulses, parts, seed=seed)


def main(
    out: Path,
    oneshots: Annotated[Path, typer.Option(help="Folder with index.csv.")],
    grooves: Annotated[Path, typer.Option(help="Folder with info.csv.")],
    impulses: Annotated[Path, typer.Option(help="Folder of room impulse responses.")],
    model: Annotated[Path | None, typer.Option(help="A .keras, its .onnx beside.")] = None,
    epochs: Annotated[int, typer.Option()] = 6,
    rate: Annotated[float, typer.Option()] = 3e-4,
    augment: Annotated[int, typer.Option(help="Augmented variants of every song.")] = 0,
    others: Annotated[bool, typer.Option("--others", help="Score on the other kits too.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Forget what was trained.")] = False,
) -> None:
    """Micro F of three unheard kits before and after fine-tuning."""
    base = find_base(model)
    if not all((out / kit / "test").is_dir() for kit in KITS):
        library = shots.load_library(oneshots, only=KITS, sample_rate=RATE)
        for kit in KITS:
            if not (out / kit / "test").is_dir():
                render(out, kit, library, grooves, impulses)
    print("| kit | before | after | KD SD TT HH CY before | after | epoch |")
    for kit in KITS:
        folder = out / kit
        if again:
            for name in ("data", "run"):
                shutil.rmtree(folder / name, ignore_errors=True)
        if not (folder / "data").is_dir():
            settings = BuildSettings(shares=(85, 15, 0), augmented=augment)
            build_dataset([folder / "train"], folder / "data", settings=settings)
        tuned = fine_tune(
            read_dataset(folder / "data"),
            folder / "mine.onnx",
            run=folder / "run",
            base=base,
            settings=FineTuneSettings(epochs=epochs, rate=rate),
        )
        before, after = (
            found(folder / "test", base.onnx),
            found(folder / "test", folder / "mine.onnx"),
        )
        classes = [
            " ".join(f"{one.f:.2f}" for one in finding.strokes.values())
            for finding in (before, after)
        ]
        print(
            f"| {kit} | {before.micro.f:.3f} | {after.micro.f:.3f} | {classes[0]} | {classes[1]} "
            f"| {tuned.best_epoch} of {tuned.epochs} |",
            flush=True,
        )
        for other in KITS if others else ():
            if other != kit:
                told = [
                    found(out / other / "test", one).micro.f
                    for one in (base.onnx, folder / "mine.onnx")
                ]
                print(f"    on {other}: {told[0]:.3f} -> {told[1]:.3f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
