"""The site of docs/: it builds without a warning, and a page asks no other host for anything."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


pytest.importorskip("mkdocs", reason="pip install 'fewstep[docs]'")

# `making` writes into docs/.
pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.process]

ROOT = Path(__file__).resolve().parents[2]
PATHS = os.pathsep.join(str(ROOT / name) for name in ("docs", "benchmarks", "src", "."))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-quic"]
QUIET += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
WIDTHS = (1280, 390)
"""Of a desk and of a phone."""

LOOK = """<!doctype html><body><script>
const wait = ms => new Promise(done => setTimeout(done, ms));
async function look(page, width) {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:800px;border:0`;
  document.body.append(frame);
  await new Promise(done => { frame.onload = done; frame.src = page; });
  await wait(60);
  const inside = frame.contentDocument, root = inside.documentElement;
  const images = [...inside.images].filter(i => i.loading !== "lazy" && !i.naturalWidth);
  const asked = frame.contentWindow.performance.getEntriesByType("resource").map(e => e.name);
  const found = {page, width, wide: root.scrollWidth - width, broken: images.map(i => i.src),
                 outside: asked.filter(url => !url.startsWith(location.origin))};
  frame.remove();
  return found;
}
(async () => {
  const found = [];
  for (const page of PAGES) for (const width of WIDTHS) found.push(await look(page, width));
  document.body.innerHTML = "<pre id=found></pre>";
  document.getElementById("found").textContent = JSON.stringify(found);
})();
</script>"""


def run(*words: str, folder: Path = ROOT) -> None:
    environment = os.environ | {"PYTHONPATH": PATHS, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it, but elsewhere."""
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "making")
    run(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    return folder


def test_every_page_is_there(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 30
    assert all((site / page.with_suffix(".html")).is_file() for page in pages)
    assert "<math" in (site / "algorithms" / "reptile.html").read_text()
    assert "InnerLoop" in (site / "api" / "adapters.html").read_text()
    assert not (site / "making").exists()


def test_what_a_page_loads_is_a_file_of_the_site(site: Path) -> None:
    loads = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*?\ssrc=["']?([^"'\s>]+)"""
        r"""|<link[^>]*rel=["']?(?:stylesheet|icon|preload|preconnect|manifest)[^>]*"""
    )
    seen = 0
    for page in site.rglob("*.html"):
        for found in loads.finditer(page.read_text()):
            link = found[1] or re.search(r"""href=["']?([^"'\s>]+)""", found[0])[1]
            assert "//" not in link, (page, link)
            base = site if link.startswith("/") else page.parent
            assert (base / link.lstrip("/").split("?")[0]).resolve().is_file(), (page, link)
            seen += 1
    assert seen > 100
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet


def test_zensical_reads_the_same_configuration(tmp_path: Path) -> None:
    pytest.importorskip("zensical")
    run(sys.executable, "-m", "making")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("src", "build", "CHANGELOG.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    text = (ROOT / "mkdocs.yml").read_text().replace("site_dir: build/site", "site_dir: site")
    (tmp_path / "mkdocs.yml").write_text(text)
    run(str(Path(sys.executable).with_name("zensical")), "build", "--strict", folder=tmp_path)
    assert "<math" in (tmp_path / "site" / "algorithms" / "reptile.html").read_text()
    assert "InnerLoop" in (tmp_path / "site" / "api" / "adapters.html").read_text()


class Silent(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
def test_in_a_browser_nothing_overflows_and_no_other_host_is_asked(
    site: Path, address: str, tmp_path: Path
) -> None:
    pages = sorted(str(page.relative_to(site)) for page in site.rglob("*.html"))
    script = LOOK.replace("PAGES", json.dumps(pages)).replace("WIDTHS", json.dumps(WIDTHS))
    (site / "look.htm").write_text(script)
    log = tmp_path / "net.json"
    words = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'user'}", f"--log-net-log={log}"]
    words += ["--virtual-time-budget=60000", "--timeout=120000", "--dump-dom"]
    done = subprocess.run(
        [*words, f"{address}/look.htm"], capture_output=True, text=True, timeout=240
    )
    (found,) = re.findall(r'<pre id="found">(.*?)</pre>', done.stdout)
    looks = json.loads(found)
    assert len(looks) == len(pages) * len(WIDTHS)
    assert [look for look in looks if look["outside"]] == []
    assert [look for look in looks if look["broken"]] == []
    assert [look for look in looks if look["wide"] > 0] == []
    events = [e.get("params", {}) for e in json.loads(log.read_text())["events"]]
    asked = [e["url"] for e in events if str(e.get("initiator")).startswith(address) and "url" in e]
    assert len(asked) > len(pages)
    assert [url for url in asked if not url.startswith(address)] == []
