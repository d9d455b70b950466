"""A Sphinx extension: the pages of all optimizers of ``specs/``, with pictures, before a build.

The pages go into the folder ``reference`` of the sources, as those of autosummary do.  Drawing is
most of the work and is done again only when something that a picture depends on has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import drawing
import landscapes
import numpy as np
import train_digits
from sphinx.application import Sphinx
from sphinx.util import logging

import optgen.optimizers
from optgen import driver, folders
from optgen.backends.docs.page import Picture
from optgen.runtime.notice import be_quiet

EPOCHS = 20
NEIGHBOURS = 4

logger = logging.getLogger(__name__)
Runs = Mapping[str, Mapping[str, Any]]
Curves = dict[str, dict[str, list[float]]]


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages as soon as the sources are known."""
    app.connect("builder-inited", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx) -> None:
    """Write the page of every optimizer, and its pictures."""
    sources = Path(app.srcdir)
    folder = sources / "reference"
    optimizers = driver.compile_all(folders.spec_files([sources.parent / "specs"]))
    names = {optimizer.program.module: optimizer.program.name for optimizer in optimizers}
    pictures = _pictures(folder / "pictures", names)
    written = folders.write(driver.pages(optimizers, pictures=pictures), folder)
    logger.info("pages of optimizers: %d, %d of them new", len(optimizers), len(written))


def _pictures(folder: Path, names: Mapping[str, str]) -> dict[str, list[Picture]]:
    """The pictures of all optimizers, by module; drawn only if they are not there yet."""
    record = folder / "pictures.json"
    be_quiet()
    digest = _digest(names)
    if record.is_file():
        known = json.loads(record.read_text("utf-8"))
        there = {
            module: [Picture(**picture) for picture in pictures]
            for module, pictures in known["pictures"].items()
        }
        files = [file for row in there.values() for p in row for file in (p.light, p.dark)]
        if known["digest"] == digest and all((folder.parent / file).is_file() for file in files):
            return there
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    curves = {name: _losses(name) for name in names.values()}
    drawn = {module: _draw(folder, module, name, curves) for module, name in names.items()}
    content = {module: [asdict(picture) for picture in row] for module, row in drawn.items()}
    record.write_text(json.dumps({"digest": digest, "pictures": content}, indent=1), "utf-8")
    return drawn


def _digest(names: Mapping[str, str]) -> str:
    """A digest of all that the pictures depend on."""
    content = hashlib.sha256()
    package = Path(optgen.optimizers.__file__).parent
    files = [Path(module.__file__ or "") for module in (drawing, landscapes, train_digits)]
    files += [Path(__file__), package / "common.py", package / "common_cpu.py"]
    files += [package / f"{module}{part}.py" for module in sorted(names) for part in ("", "_cpu")]
    for file in files:
        content.update(file.read_bytes())
    for library in ("matplotlib", "numpy", "scikit-learn"):
        content.update(f"{library} {metadata.version(library)}".encode())
    return content.hexdigest()[:16]


def _runs(name: str) -> Runs:
    """What is shown of a class, by label: what the example program trains."""
    return train_digits.RUNS.get(name, {name: {}})


def _losses(name: str) -> dict[str, list[float]]:
    """The training losses of a class's runs on the digits, at the start and after each epoch."""
    data = train_digits.load_data()
    return {
        label: train_digits.train(label, name, arguments, data, EPOCHS).losses
        for label, arguments in _runs(name).items()
    }


def _draw(folder: Path, module: str, name: str, curves: Curves) -> list[Picture]:
    """Draw an optimizer's pictures."""
    pictures = []
    make = getattr(optgen.optimizers, name)
    for landscape in landscapes.LANDSCAPES:
        ways = {
            label: landscapes.best_way(make, arguments, landscape)
            for label, arguments in _runs(name).items()
        }
        files = drawing.save_ways(landscape, ways, folder, module)
        pictures.append(
            _picture(
                files,
                f"Contours of {landscape.title}, and the way of {name} over them.",
                _way_caption(landscape, ways),
            )
        )
    others = _neighbours(name, curves)
    files = drawing.save_losses(curves[name], others, folder, module)
    alternative = f"Training loss of {name} on the digits by epoch, beside {'; '.join(others)}."
    pictures.append(_picture(files, alternative, _loss_caption(name, others)))
    return pictures


def _picture(files: Mapping[str, str], alternative: str, caption: str) -> Picture:
    light, dark = (f"pictures/{files[theme]}" for theme in ("light", "dark"))
    return Picture(light, dark, alternative, caption)


def _neighbours(name: str, curves: Curves) -> dict[str, list[float]]:
    """The curves of other optimizers that come nearest, each optimizer once."""
    own = [np.log(losses) for losses in curves[name].values()]
    found = []
    for other, runs in curves.items():
        if other != name:
            distances = (
                (min(float(np.abs(np.log(losses) - one).mean()) for one in own), label)
                for label, losses in runs.items()
            )
            distance, label = min(distances)
            found.append((distance, label, runs[label]))
    return {label: losses for _, label, losses in sorted(found)[:NEIGHBOURS]}


def _way_caption(landscape: landscapes.Landscape, ways: Mapping[str, landscapes.Way]) -> str:
    low, *_, high = landscapes.LEARNING_RATES
    rates = "; ".join(f"{label} {way.learning_rate:g}" for label, way in ways.items())
    return (
        f"{landscape.title}, ${landscape.formula}$: {landscapes.STEPS} steps from the dot; "
        f"the star is the minimum. Learning rates, of those from {low:g} to {high:g} the ones "
        f"with the least mean on the way: {rates}."
    )


def _loss_caption(name: str, others: Iterable[str]) -> str:
    sentences = [
        "A network of 64 hidden units on scikit-learn's digits, in batches of "
        f"{train_digits.BATCH}: mean cross-entropy over the training digits."
    ]
    arguments = "; ".join(
        f"{label} `{', '.join(f'{key}={value!r}' for key, value in given.items())}`"
        for label, given in _runs(name).items()
        if given
    )
    if arguments:
        sentences.append(f"{arguments}.")
    if others:
        sentences.append(f"In grey, the nearest curves of others: {'; '.join(others)}.")
    return " ".join(sentences)
