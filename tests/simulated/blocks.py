"""How many blocks of threads a launch has, for variables large and small.

Run by ``test_cuda_class.py`` in a process of the simulator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optgen.optimizers import Adam, NovoGrad
from optgen.runtime.cuda import running
from optgen.runtime.cuda.kernels import BLOCK, SHORT, TILES, WARP, int64_table
from optgen.runtime.cuda.launch import tiled_grid
from tests.simulated.arrays import DeviceArray, HostArray, as_bytes, device_arrays

Configuration = tuple[str, int, Any]
"""A kernel's name, its blocks, and the threads of each."""


def configurations(optimizer: Any, sizes: list[int], monkeypatch: Any) -> list[Configuration]:
    """The launches of a step over variables of these sizes, none of which is run."""
    found: list[Configuration] = []
    monkeypatch.setattr(
        running,
        "launch",
        lambda kernel, blocks, threads, *_: found.append((kernel.__name__, blocks, threads)),
    )
    variables = [DeviceArray(np.ones(n, np.float32)) for n in sizes]
    optimizer.apply([DeviceArray(np.ones(n, np.float32)) for n in sizes], variables)
    return found


def test_many_small_variables_share_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = configurations(Adam(), [8] * 1000, monkeypatch)
    assert found == [("plain_update_chunks", 125, (WARP, TILES))]


def test_small_variables_share_blocks_beside_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large variable has a block for each 4,096 elements, and changes nothing for the others."""
    large = 100 * BLOCK + SHORT + 1
    sizes = [8] * 500 + [large] + [SHORT] * 500
    found = configurations(Adam(), sizes, monkeypatch)
    assert found == [("plain_update_chunks", 101 + 125, (WARP, TILES))]


def test_a_reduction_keeps_a_block_for_each_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of the step, behind it, share blocks."""
    found = configurations(NovoGrad(), [8, 2 * BLOCK, 8], monkeypatch)
    assert found[:2] == [("reduce_squares_chunks", 4, 256), ("reduce_squares_fold", 3, 2)]
    assert found[-1] == ("plain_update_chunks", 2 + 1, (WARP, TILES))


@pytest.mark.parametrize(
    ("count", "count_of_long", "blocks", "tiles"),
    [
        (0, 0, 0, 1),
        (1, 0, 1, 1),
        (3, 0, 1, 4),
        (8, 0, 1, 8),
        (9, 0, 2, 8),
        (1, 1, 1, 8),
        (2, 1, 2, 8),
        (20, 3, 3 + 3, 8),
    ],
)
def test_a_grid_has_a_tile_for_each_short_chunk(
    count: int, count_of_long: int, blocks: int, tiles: int
) -> None:
    assert tiled_grid(count, count_of_long) == (blocks, (WARP, tiles))


@pytest.mark.filterwarnings("ignore:.*no gradient")
def test_long_chunks_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the tables say, whichever variables take part."""
    found: list[tuple[int, list[int]]] = []

    def recorded(kernel: Any, blocks: int, threads: Any, stream: Any, arguments: Any) -> None:
        tables = arguments[1]
        lengths = int64_table(tables[0], tables[7], 4)[:, 2]
        found.append((tables[15], lengths.tolist()))

    monkeypatch.setattr(running, "launch", recorded)
    variables = [DeviceArray(np.ones(n)) for n in (5, SHORT + 1, 3, BLOCK + 2, SHORT, 9999)]
    gradients: list[Any] = [DeviceArray(np.ones(v.shape)) for v in variables]
    optimizer = Adam()
    optimizer.apply(gradients, variables)
    rest = 9999 - 2 * BLOCK
    assert found == [(5, [SHORT + 1, BLOCK, BLOCK, BLOCK, rest, 5, 3, 2, SHORT])]
    optimizer.apply([None, *gradients[1:4], None, None])
    assert found[1] == (2, [SHORT + 1, BLOCK, 3, 2])


SIZES = (5, SHORT + 1, 0, SHORT, 1, BLOCK + 3, 40, 2 * BLOCK + SHORT, 33, 2, 7, 9, 12)
"""Short and long chunks in turn, the short ones of two blocks; a variable with both."""


@pytest.mark.filterwarnings("ignore:.*no gradient")
@pytest.mark.parametrize("missing", [None, 1, 7, 0], ids=str)
def test_a_mixture_equals_the_host(missing: int | None) -> None:
    """Every element is updated once, with the numbers of its own variable."""
    rng = np.random.default_rng(4)
    variables: list[HostArray] = [rng.standard_normal(n) for n in SIZES]
    gradients: list[HostArray | None] = [rng.standard_normal(n) for n in SIZES]
    if missing is not None:
        gradients[missing] = None
    copies = device_arrays(variables)
    host, device = Adam(0.5, weight_decay=0.5), Adam(0.5, weight_decay=0.5)
    for optimizer, built in ((host, variables), (device, copies)):
        optimizer.exclude_from_weight_decay(built[::3])
        optimizer.build(built)
    host.apply(gradients)
    device.apply(device_arrays(gradients))
    assert as_bytes(copies) == as_bytes(variables)
    assert as_bytes(device.get_weights()) == as_bytes(host.get_weights())
