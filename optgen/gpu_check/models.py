"""The shapes of the variables of well-known models."""

from __future__ import annotations

Shapes = list[tuple[int, ...]]


def multilayer_perceptron() -> Shapes:
    """784-128-10, for digits."""
    return [(784, 128), (128,), (128, 10), (10,)]


def resnet50() -> Shapes:
    """ResNet-50: 161 arrays, 25.6 million numbers."""
    shapes: Shapes = [(64, 3, 7, 7), (64,), (64,)]
    width = 64
    for blocks, planes in ((3, 64), (4, 128), (6, 256), (3, 512)):
        for block in range(blocks):
            convolutions = [(planes, width, 1), (planes, planes, 3), (4 * planes, planes, 1)]
            if block == 0:
                convolutions.append((4 * planes, width, 1))
            for outputs, inputs, size in convolutions:
                shapes += [(outputs, inputs, size, size), (outputs,), (outputs,)]
            width = 4 * planes
    return [*shapes, (1000, 2048), (1000,)]


def gpt2_small() -> Shapes:
    """GPT-2 small: 148 arrays, 124 million numbers."""
    d = 768
    shapes: Shapes = [(50257, d), (1024, d)]
    for _ in range(12):
        shapes += [(d,), (d,), (d, 3 * d), (3 * d,), (d, d), (d,)]
        shapes += [(d,), (d,), (d, 4 * d), (4 * d,), (4 * d, d), (d,)]
    return [*shapes, (d,), (d,)]


def many_small() -> Shapes:
    """1,000 arrays of 64 numbers."""
    return [(64,)] * 1000


MODELS = {
    "MLP 784-128-10": multilayer_perceptron,
    "ResNet-50": resnet50,
    "GPT-2 small": gpt2_small,
    "1,000 x 64": many_small,
}
