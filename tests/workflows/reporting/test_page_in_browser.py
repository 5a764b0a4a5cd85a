"""The report in a browser: every image loads, every link leads somewhere, and it fits the screen of a telephone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

from hepgrad.workflows.reporting import remake_report

pytestmark = pytest.mark.thorough

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
    // what is wider than the screen has to lie in something that can be moved sideways
    cut: [...page.querySelectorAll("table, img")].filter(element => {
      const frame = element.closest(".wide");
      return element.scrollWidth > page.documentElement.clientWidth
        && !(frame && getComputedStyle(frame).overflowX == "auto" && frame.clientWidth <= WIDTH);
    }).length,
    text: Math.min(
      ...[...page.querySelectorAll("p, td, figcaption")].map(element => parseFloat(getComputedStyle(element).fontSize))
    ),
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


@pytest.fixture(scope="module")
def with_systematics(finished, tmp_path_factory):
    """The run folder of the tiny workflow, with what the fit of another one left, and a report of both."""
    folder = tmp_path_factory.mktemp("browser") / "run"
    shutil.copytree(finished[2], folder)
    for name, text in FIT.items():
        (folder / name).write_text(text)
    remake_report(folder)
    return folder


FIT = {
    "systematics.csv": "point,channel,process,source,type,yield,down,up\noptimum,ht,top,jes,histosys,10,-0.1,0.2\n",
    "impacts.csv": "parameter,pull,constraint,prefit_down,prefit_up,postfit_down,postfit_up\n"
    "mu,0,0,0,0,0,0\njes,0.5,0.8,-1.2,1.1,-1.0,0.9\n",
    "pulls.csv": "fit,parameter,value,uncertainty,pull,constraint\nasimov,mu,1,2,,\nasimov,jes,0,0.8,0,0.8\n",
    "uncertainty.json": json.dumps({"parameter": "mu", "total": 2.0, "statistical": 1.5, "sources": {"jes": 1.0}}),
}
SECTIONS = [
    "Result",
    "Plots",
    "Convergence",
    "Robustness",
    "Overtraining",
    "Systematic uncertainties",
    "Cutflow",
    "N − 1",
    "Provenance",
]


@pytest.mark.parametrize("width", [390, 1200], ids=["telephone", "desktop"])
def test_the_report_in_a_browser(with_systematics, tmp_path, width):
    seen, log = look(with_systematics, width, tmp_path)
    assert seen["headings"] == SECTIONS
    # of one channel: the observable, the course, the parameters, moved cuts, both halves, impacts and pulls
    assert len(seen["images"]) == 7
    # a plot is never drawn smaller than its text can be read
    assert all(natural > 0 and shown >= 350 for natural, shown in seen["images"])
    assert len(seen["links"]) == len(SECTIONS)
    assert set(seen["links"]) <= set(seen["targets"])
    assert seen["width"] <= width
    assert seen["cut"] == 0
    assert seen["text"] >= 13
    # of scripts, styles and images
    assert "CONSOLE" not in log


def test_a_run_without_a_likelihood_has_no_empty_section(finished):
    page = (finished[2] / "report.html").read_text()
    assert re.findall("<h2.*?>(.*?)</h2>", page) == [name for name in SECTIONS if name != "Systematic uncertainties"]


def test_a_report_that_is_too_wide_would_be_noticed(tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    content = '<h2>Bad</h2><img src="data:image/png;base64,AAAA"><p style="width: 900px">wide</p><a href="#none">x</a>'
    (folder / "report.html").write_text(f"<!DOCTYPE html><html><body>{content}</body></html>")
    seen, _ = look(folder, 390, tmp_path)
    assert seen["width"] > 390
    assert seen["images"][0][0] == 0
    assert seen["links"] == ["#none"] and not seen["targets"]
    assert seen["text"] == 16
