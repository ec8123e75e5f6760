"""Six classes of single hits, as in the article, from kits that neither model has heard.

    python benchmarks/single_hits.py OUT --oneshots DIR [--weights FILE] [--model FILE.onnx]

Trains a frozen InceptionResNetV2 with a dense head on the one-shots of the other kits
(pictures of 256 x 256; ImageNet weights if they are given or can be fetched with --fetch,
else random ones), then scores it and our network on the hits of the three kits. What is
done is kept in OUT; delete it to begin anew.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from drum2midi.audio import read_audio
from drum2midi.features import log_mel
from drum2midi.model import load_model
from drum2midi.workshop.backbone import train_backbone
from drum2midi.workshop.bases import BackboneSettings
from drum2midi.workshop.building import BuildSettings, build_dataset
from drum2midi.workshop.dataset import read_dataset
from drum2midi.workshop.material import Item
from drum2midi.workshop.readers import read_source
from drum2midi.workshop.scoring import Listener, hear_alone, score
from drum2midi.workshop.sounds import SIX, class_of, meaning

KITS = ("avl-red-zeppelin", "h2-bja-pacific", "h2-gmrockkit")


def write_subset(source: Path, folder: Path, *, kits: bool, each: int | None, seed: int) -> None:
    """An index of one-shots: of the three kits, or of the others, at most so many of a class."""
    folder.mkdir(parents=True)
    with (source / "index.csv").open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        rows = [row for row in reader if (row["kit"] in KITS) == kits]
        fields = list(reader.fieldnames or ())
    rows = [row for row in rows if meaning(row["piece"]) and row["piece"] != "side_stick"]
    order = np.random.default_rng(seed).permutation(len(rows))
    taken: dict[str, int] = {}
    chosen = []
    for index in order:
        sound = meaning(rows[index]["piece"])
        name = class_of(sound, "six") if sound else None
        if name is not None and (each is None or taken.get(name, 0) < each):
            taken[name] = taken.get(name, 0) + 1
            chosen.append({**rows[index], "file": str((source / rows[index]["file"]).resolve())})
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, fields)
        writer.writeheader()
        writer.writerows(sorted(chosen, key=lambda row: row["file"]))


def milliseconds(listener: Listener, items: list[Item]) -> float:
    """Milliseconds for a hit, the picture or the features included: the best of twenty."""
    times = []
    for item in items[:20]:
        samples = read_audio(item.audio, sample_rate=44100).samples
        start = time.perf_counter()
        if listener.classifier is not None:
            listener.classifier.scores(samples, [0.01])
        else:
            # As much audio as the classifier sees, with silence before it.
            clip = np.concatenate((np.zeros(4410, np.float32), samples[:13260]))
            hear_alone(log_mel([clip], listener.network.features), listener.network)
        times.append(time.perf_counter() - start)
    return 1000.0 * min(times)


def report(name: str, listener: Listener, items: list[Item], parameters: int) -> None:
    """One row of the table."""
    naming = score(items, listener, classes="six").naming
    assert naming is not None
    classes = " | ".join(f"{f:.2f}" for f in naming.f1)
    print(
        f"| {name} | {naming.accuracy:.3f} | {naming.weighted_f1:.3f} | {classes} "
        f"| {parameters:,} | {milliseconds(listener, items):.1f} |",
        flush=True,
    )


def main(
    out: Path,
    oneshots: Annotated[Path, typer.Option(help="Folder with index.csv.")],
    weights: Annotated[Path | None, typer.Option(help="ImageNet's, …_notop.h5.")] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch ImageNet's weights.")] = False,
    model: Annotated[Path | None, typer.Option(help="Instead of the shipped .onnx.")] = None,
    backbone: Annotated[str, typer.Option(help="Name in keras.applications.")] = (
        "inception-resnet-v2"
    ),
    each: Annotated[int, typer.Option(help="Hits of a class to learn from, at most.")] = 100,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Six classes of single hits: our network and a backbone."""
    if not (out / "test").is_dir():
        write_subset(oneshots, out / "test", kits=True, each=None, seed=seed)
        write_subset(oneshots, out / "train", kits=False, each=each, seed=seed)
    items = [Item(one.audio, one.strokes) for one in read_source(out / "test")]
    print(f"{len(items)} hits of {', '.join(KITS)}")
    print(f"| model | accuracy | weighted F1 | {' | '.join(SIX)} | parameters | ms a hit |")
    shipped = load_model(model)
    parameters = int(shipped.about.get("parameters", 0))
    report("our network", Listener.load(model), items, parameters)
    if not (out / "data").is_dir():
        settings = BuildSettings(shares=(80, 20, 0), classes="six", augmented=0, seed=seed)
        build_dataset([out / "train"], out / "data", settings=settings)
    trained = train_backbone(
        read_dataset(out / "data"),
        out / f"{backbone}.onnx",
        run=out / f"{backbone}.run",
        settings=BackboneSettings(
            name=backbone, weights=weights, random=weights is None and not fetch, seed=seed
        ),
    )
    label = f"{backbone}, {'ImageNet' if weights or fetch else 'random'} weights, frozen"
    report(label, Listener.load(out / f"{backbone}.onnx"), items, trained.parameters)


if __name__ == "__main__":
    typer.run(main)
