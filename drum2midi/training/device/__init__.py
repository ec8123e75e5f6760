"""Training on a GPU: pieces are rendered where the network learns, and none is kept.

    python -m drum2midi.training.device.cargo CARGO --oneshots DIR --grooves DIR --impulses DIR
    python -m drum2midi.training.device.fit CARGO RUN --minutes 9
    python -m drum2midi.training.device.finish RUN/weights-100.npz --dev-set DIR --pieces DIR \
        -o my.onnx

`cargo` packs the material small enough to travel to a machine that has PyTorch and a GPU but
neither TensorFlow nor the material; `fit` trains there and writes weights (for the network of
`drum2midi.training.network`, by `drum2midi.training.device.twin`), from which `finish` makes the
model here. With ``--heard`` it also learns from music that nobody annotated
(`drum2midi.training.heard`).
"""
