"""Training on a GPU: pieces are rendered where the network learns, and none is kept.

    python -m drum2midi.training.device.cargo CARGO --oneshots DIR --grooves DIR --impulses DIR
    python -m drum2midi.training.device.fit CARGO OUT --minutes 9

`cargo` packs the material small enough to travel to a machine that has PyTorch and a GPU but
neither TensorFlow nor the material; `fit` trains there and writes weights, which
`drum2midi.training.device.twin` puts into the Keras network of `drum2midi.training.network`.
"""
