"""The report in a browser: every image loads, every link leads somewhere, and it fits the screen of a telephone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")

# looks at the report from outside, in a frame as wide as a screen
FRAME = """<!DOCTYPE html>
<iframe src="report.html" style="width: WIDTHpx; height: 800px; border: 0"></iframe><pre></pre>
<script>
window.addEventListener("load", async () => {
  const page = document.querySelector("iframe").contentDocument;
  const images = [...page.images];
  await Promise.allSettled(images.map(image => image.decode()));
  document.querySelector("pre").textContent = JSON.stringify({
    images: images.map(image => [image.naturalWidth, image.getBoundingClientRect().width]),
    links: [...page.links].map(link => link.getAttribute("href")),
    targets: [...page.querySelectorAll("[id]")].map(element => "#" + element.id),
    width: page.documentElement.scrollWidth,
    headings: [...page.querySelectorAll("h2")].map(heading => heading.textContent),
  });
});
</script>
"""


def look(folder, width, tmp_path):
    """Return what a browser says about the report of a run folder, and its log."""
    if BROWSER is None:
        pytest.skip("needs Chromium or Chrome, which is not there")
    shutil.copy(folder / "report.html", tmp_path / "report.html")
    (tmp_path / "frame.html").write_text(FRAME.replace("WIDTH", str(width)))
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
        "--enable-logging=stderr",
    ]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,900", "--virtual-time-budget=20000"]
    address = (tmp_path / "frame.html").as_uri()
    done = subprocess.run([BROWSER, *options, "--dump-dom", address], capture_output=True, text=True, timeout=120)
    found = re.search("<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found and found[1], done.stderr
    return json.loads(html.unescape(found[1])), done.stderr


@pytest.mark.parametrize("width", [390, 1200], ids=["telephone", "desktop"])
def test_the_report_in_a_browser(finished, tmp_path, width):
    _, _, folder = finished
    seen, log = look(folder, width, tmp_path)
    assert len(seen["images"]) >= 3
    assert all(natural > 0 and shown <= width for natural, shown in seen["images"])
    assert set(seen["links"]) <= set(seen["targets"])
    assert seen["width"] <= width
    assert {"Result", "Plots", "Cutflow"} <= set(seen["headings"])
    # of scripts, styles and images
    assert "CONSOLE" not in log


def test_a_report_that_is_too_wide_would_be_noticed(tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    content = '<h2>Bad</h2><img src="data:image/png;base64,AAAA"><p style="width: 900px">wide</p><a href="#none">x</a>'
    (folder / "report.html").write_text(f"<!DOCTYPE html><html><body>{content}</body></html>")
    seen, _ = look(folder, 390, tmp_path)
    assert seen["width"] > 390
    assert seen["images"][0][0] == 0
    assert seen["links"] == ["#none"] and not seen["targets"]
