"""The site builds without a warning, its links lead somewhere, and a browser shows what it should.

The browser is Debian's Chromium; where there is none, the tests that need it are skipped.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.oracle import compiled, spec_names

ROOT = Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
SOURCES = ("docs", "specs", "CHANGELOG.md")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


def build(folder: Path) -> None:
    """Build the site of a copy of the sources, so that the checkout stays as it is."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("reference", "__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    options = ["-W", "--keep-going", "-n", "-q"]
    result = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, folder / "docs", folder / "site"],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("sources-of-the-site")
    build(folder)
    return folder / "site"


@dataclass
class Links(HTMLParser):
    """The places that a page has, and those that it leads to."""

    path: Path
    places: set[str] = field(default_factory=set)
    targets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.places.add(value)
            elif name in ("href", "src") and value is not None:
                self.targets.append(value)


def test_every_link_inside_the_site_leads_somewhere(site: Path) -> None:
    pages = {path: Links(path) for path in site.rglob("*.html")}
    assert len(pages) > 10
    broken, count = [], 0
    for path, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not file.is_file():
                broken.append(f"{path.name}: {target}")
            elif parts.fragment and unquote(parts.fragment) not in pages[file].places:
                broken.append(f"{path.name}: {target} has no such place")
    assert count > 500
    assert broken == []


def test_every_optimizer_has_a_page_with_all_its_pictures(site: Path) -> None:
    for spec in spec_names():
        links = Links(site / "reference" / f"{spec}.html")
        pictures = [target for target in links.targets if target.endswith(".svg")]
        assert sum("_images" in target for target in pictures) == 8
        text = links.path.read_text("utf-8")
        assert f"<h1>{compiled(spec).program.name}" in text
        assert text.count("<math xmlns") > len(compiled(spec).program.modes)


@dataclass
class Visit:
    """A browser that shows the site, and what it complained about.

    Attributes:
        browser: the browser.
        address: where the site is served.
        complaints: errors on the console, and requests to anywhere else.
    """

    browser: Browser
    address: str
    complaints: list[str] = field(default_factory=list)

    def page(self, path: str, width: int = 1280, dark: bool = False) -> Page:
        """A page of the site in a window of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.on("console", lambda message: self._listen(message.type, message.text))
        page.on("pageerror", lambda error: self._listen("error", str(error)))
        page.on("request", lambda request: self._watch(request.url))
        page.goto(self.address + path)
        return page

    def _listen(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _watch(self, url: str) -> None:
        if not url.startswith((self.address, "data:")):
            self.complaints.append(f"a request to {url}")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def visit(site: Path) -> Iterator[Visit]:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM)
            found = Visit(browser, f"http://127.0.0.1:{server.server_port}/")
            yield found
            browser.close()
        server.shutdown()
    assert found.complaints == []


@needs_chromium
def test_formulas_are_drawn(visit: Visit) -> None:
    page = visit.page("reference/adam.html")
    fraction = page.locator(".formula mfrac").first
    box = fraction.bounding_box()
    assert box is not None
    assert box["width"] > 20
    parts = [fraction.locator("> *").nth(index).bounding_box() for index in (0, 1)]
    assert parts[0] is not None
    assert parts[1] is not None
    assert parts[0]["y"] + parts[0]["height"] <= parts[1]["y"] + 1, "one is above the other"
    assert page.locator("math merror").count() == 0


@needs_chromium
def test_a_search_finds(visit: Visit) -> None:
    page = visit.page("index.html")
    page.locator("input[name=q]").first.fill("nesterov")
    page.keyboard.press("Enter")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    found = [results.nth(index).get_attribute("href") or "" for index in range(results.count())]
    assert any("reference/sgd.html" in address for address in found)
    page.goto(visit.address + "search.html?q=xyzzyplugh")
    page.locator("#search-results p", has_text="did not match").first.wait_for()
    assert page.locator("#search-results li").count() == 0


@needs_chromium
def test_dark_mode_toggles(visit: Visit) -> None:
    page = visit.page("reference/sgd.html")

    def seen() -> tuple[str, bool, bool]:
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shown = [
            page.locator(f"img.{kind}").first.is_visible() for kind in ("only-light", "only-dark")
        ]
        return background, shown[0], shown[1]

    light = seen()
    assert light[1:] == (True, False)
    page.locator("button.theme-toggle:visible").first.click()
    dark = seen()
    assert dark[0] != light[0]
    assert dark[1:] == (False, True)


@needs_chromium
@pytest.mark.parametrize("path", ["index.html", "language.html", "reference/novograd.html"])
def test_a_narrow_page_does_not_scroll_sideways(visit: Visit, path: str) -> None:
    page = visit.page(path, width=390, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
