"""Numbers of TensorFlow Addons, recorded on float64 variables.

Addons needs a TensorFlow that cannot be installed beside the Keras of the other comparisons, so its
numbers were recorded: tensorflow-addons 0.23.0 with tensorflow-cpu 2.15.1. It keeps its
hyperparameters in float32, so all of them are sums of powers of two.
"""

from __future__ import annotations

from tests.references.peers.recorded import FOUR_STEPS, TWO_STARTS, RecordedRun

YOGI = {
    ("sign", 0.875, 0.0, 0.0): [
        [0.7369752592450572, -1.8573511428130474, -0.2549053317792034],
        [0.23092829163258927],
    ],
    ("sign", 0.875, 0.0, 0.625): [
        [0.041129972779692534, -0.3406522317116552, -0.1575277885206057],
        [0.061835155458237444],
    ],
    ("sign", 0.875, 0.375, 0.0): [[0.0, -0.6606878682478858, 0.0], [-0.017967868621848015]],
    ("sign", 0.875, 0.375, 0.625): [[0.0, -0.0, 0.0], [-0.016502470179262315]],
    ("sign", 0.0, 0.0, 0.0): [
        [0.6116776388406536, -1.8203708525284068, -0.19486270997027752],
        [0.24201595767176454],
    ],
    ("sign", 0.0, 0.0, 0.625): [
        [0.308206295431538, -1.1263367941290605, -0.16729685939492164],
        [0.17495876604978636],
    ],
    ("sign", 0.0, 0.375, 0.0): [
        [0.3199274670345115, -1.5376122689591947, -0.06709729088284783],
        [0.12596083212970394],
    ],
    ("sign", 0.0, 0.375, 0.625): [
        [0.0879864506379579, -0.9109253993747106, -0.05868749684653963],
        [0.07181943579720028],
    ],
    ("tanh", 0.875, 0.0, 0.0): [
        [0.7473188518794858, -1.8478319336002946, -0.2562762236837898],
        [0.23311733008496888],
    ],
    ("tanh", 0.875, 0.0, 0.625): [
        [0.05677799235910126, -0.3002533855479651, -0.15814972990755638],
        [0.06462960723212449],
    ],
    ("tanh", 0.875, 0.375, 0.0): [[0.0, -0.5544064876596633, 0.0], [-0.017858111837002116]],
    ("tanh", 0.875, 0.375, 0.625): [[0.0, -0.0, 0.0], [-0.01640983998442832]],
    ("tanh", 0.0, 0.0, 0.0): [
        [0.6231498497016028, -1.8135694459076648, -0.19638341392503028],
        [0.24243705574141922],
    ],
    ("tanh", 0.0, 0.0, 0.625): [
        [0.32877950719216104, -1.0822823947328404, -0.16844965784308863],
        [0.17642483546465232],
    ],
    ("tanh", 0.0, 0.375, 0.0): [
        [0.3456613766196241, -1.5095561194979705, -0.06771648072561813],
        [0.1280778181164538],
    ],
    ("tanh", 0.0, 0.375, 0.625): [
        [0.11660033427865626, -0.8549979582104292, -0.059157211848040084],
        [0.07461449806284462],
    ],
}
"""The variables after four steps, by activation, `beta_1`, and the strengths of L1 and L2."""

PROXIMAL_ADAGRAD = {
    (0.0, 0.0): [
        [0.7165683885164765, -1.8553740688635187, -0.1499470765499868],
        [0.30815674585158837],
    ],
    (0.0, 0.625): [
        [0.43955667374042284, -1.2210663270598643, -0.13237626732802293],
        [0.2628865066278545],
    ],
    (0.375, 0.0): [
        [0.47406928479170757, -1.6034858007030575, -0.04416155299351188],
        [0.2326635585558704],
    ],
    (0.375, 0.625): [
        [0.24870688835138208, -1.0239373774376346, -0.04053829859466219],
        [0.1930190051026023],
    ],
}
"""The same by the strengths of L1 and L2."""


def yogi_runs() -> list[RecordedRun]:
    """Return the runs of `tfa.optimizers.Yogi`."""
    found = []
    for (activation, beta_1, l1, l2), expected in YOGI.items():
        arguments = {
            "learning_rate": 0.125,
            "beta_1": beta_1,
            "beta_2": 0.75,
            "epsilon": 2**-7,
            "l1_regularization_strength": l1,
            "l2_regularization_strength": l2,
            "initial_accumulator_value": 0.125,
            "activation": activation,
        }
        found.append(RecordedRun(arguments, TWO_STARTS, FOUR_STEPS, expected))
    return found


def proximal_adagrad_runs() -> list[RecordedRun]:
    """Return the runs of `tfa.optimizers.ProximalAdagrad`."""
    found = []
    for (l1, l2), expected in PROXIMAL_ADAGRAD.items():
        arguments = {
            "learning_rate": 0.125,
            "initial_accumulator_value": 0.25,
            "l1_regularization_strength": l1,
            "l2_regularization_strength": l2,
        }
        found.append(RecordedRun(arguments, TWO_STARTS, FOUR_STEPS, expected))
    return found
