"""Text is data: in scripts, tables, terminals and plots."""

from __future__ import annotations

import ast
import csv
import dataclasses
import io
import json
import runpy

import hist
import pytest
from hypothesis.strategies import booleans, builds, floats, integers, lists, sampled_from, tuples

from hepgrad.analysis import Channel, Parameter, Parameters, Regular, stage
from hepgrad.analysis.stages import EventSelection, ObjectSelection, Observable
from hepgrad.workflows import Fileset, InputError, Process, RunFolder, read_histograms
from hepgrad.workflows.export import selection_script
from hepgrad.workflows.export.text import comment, docstring, literal
from hepgrad.workflows.files.stored_files import read_rows
from hepgrad.workflows.messages.terminal import Console, visible
from hepgrad.workflows.reporting.gallery import Gallery
from hepgrad.workflows.reporting.style import Plot, new_figure
from hepgrad.workflows.results.run_files import write_histograms


def plain(text: str) -> bool:
    """Whether a text can stand in a file as UTF-8."""
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


def test_scripts(attack, hostile, tiny, tiny_events, fresh, monkeypatch):
    fileset = Fileset.load(tiny_events)
    specs = tiny.TINY.parameters.specs

    @attack("text in exported scripts", title=hostile, unit=hostile, label=hostile, name=hostile, region=hostile)
    def _(title, unit, label, name, region):
        analysis = tiny.TINY.analysis
        channel = Channel("ht", "ht", Regular(4, 50, 650, name="ht", label=label, unit=unit))
        met = dataclasses.replace(specs["met"], unit=unit, label=label)
        stages = [analysis.stages[0], EventSelection(["MET.pt > cut.met"], name=name or "stage")]
        try:
            workflow = dataclasses.replace(
                tiny.TINY,
                title=title,
                analysis=dataclasses.replace(analysis, stages=stages, channels=[channel]),
                parameters=Parameters(**{**specs, "met": met}),
            )
        except ValueError:
            return  # refused when it is made
        script = selection_script(workflow, workflow.parameters, fileset)
        tree = ast.parse(script)
        assert ast.get_docstring(tree, clean=False).startswith(f"{title}: the selection")
        (cuts,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_a(node, "SimpleNamespace")][-1:]
        assert {each.arg for each in cuts.keywords} == set(specs)
        folder = fresh()
        monkeypatch.chdir(folder)
        path = folder / "selection.py"
        path.write_bytes(script.encode("utf-8", "backslashreplace"))
        if plain(script):
            assert callable(runpy.run_path(str(path))["histograms"])
        assert sorted(each.name for each in folder.iterdir()) == ["selection.py"]


def is_a(call, name):
    return isinstance(call.func, ast.Attribute) and call.func.attr == name


def test_literals(attack, hostile):
    numbers = floats() | integers() | booleans()

    @attack("text in exported scripts", text=hostile, values=lists(tuples(hostile, numbers), max_size=3))
    def _(text, values):
        assert ast.literal_eval(docstring(text)) == text
        assert len(ast.parse(f"x = 1  # {comment(text)}").body) == 1
        found = eval(literal(values, "x"), {"math": __import__("math")})
        assert repr(found) == repr(values)


SHADOWING = ["select", "fill", "read_events", "np", "ak", "hist", "json", "sum", "len", "zip", "cut", "CHANNELS", "rg"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", SHADOWING)
def test_a_stage_may_have_any_name(name, tiny, tiny_events, tmp_path):
    """The function of a stage, called like something that the script brings along, selects the same events."""
    namespace: dict[str, object] = {}
    source = tmp_path / "own.py"
    lines = [
        "def {0}(events, cut):",
        "    return events.select(events.MET.pt > cut.met).with_field(ht=events.Jet.sum('pt'))",
    ]
    source.write_text("\n".join(lines).format(name))
    exec(compile(source.read_text(), str(source), "exec"), namespace)
    made = stage(reads=("Jet_pt", "MET_pt"))(namespace[name])
    analysis = dataclasses.replace(tiny.TINY.analysis, stages=[made])
    workflow = dataclasses.replace(tiny.TINY, analysis=analysis, data=tiny_events)
    script = selection_script(workflow, workflow.parameters, Fileset.load(tiny_events))
    (tmp_path / "selection.py").write_text(script)
    found = runpy.run_path(str(tmp_path / "selection.py"))
    (histograms,) = [found[key] for key in ("histograms", "histograms_") if key in found]
    met = tiny.draw("top")["MET_pt"]
    filled = histograms(tiny_events)["ht", "top"].sum(flow=True).value
    weight = tiny.draw("top")["genWeight"]
    expected = 1.5 * 1000.0 * weight[met > 20].sum(dtype=float) / (1.25 * weight.sum(dtype=float))
    assert filled == pytest.approx(expected, rel=1e-5)


def test_boxed_stages_with_odd_names(attack, hostile, tiny, tiny_events):
    fileset = Fileset.load(tiny_events)

    @attack("text in exported scripts", first=hostile, second=hostile, column=hostile)
    def _(first, second, column):
        try:
            stages = [
                ObjectSelection("Jet", ["pt > cut.jet_pt"], name=first or "a"),
                Observable(column, "sum(Jet.pt)", name=second or "b"),
                Observable("ht", "sum(Jet.pt)"),
            ]
            analysis = dataclasses.replace(tiny.TINY.analysis, stages=stages)
            script = selection_script(dataclasses.replace(tiny.TINY, analysis=analysis), tiny.TINY.parameters, fileset)
        except (ValueError, TypeError):
            return
        (listed,) = [
            n.value
            for n in ast.parse(script).body
            if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "STAGES"
        ]
        assert len({element.id for element in listed.elts}) == len(stages)


def test_tables(attack, hostile, fresh):
    cells = hostile.filter(lambda text: plain(text) and "\x00" not in text)

    @attack("cells of tables", rows=lists(tuples(cells, floats(allow_nan=False), cells), max_size=4))
    def _(rows):
        folder = RunFolder.create(fresh() / "run")
        folder.write_csv("table.csv", ["=first", "second", "third"], rows)
        with (folder.path / "table.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in (row[0], row[2]))
                assert not any(cell.startswith("-") for cell in (row[0], row[2]))
        found = [(row["=first"], float(row["second"]), row["third"]) for row in read_rows(folder.path / "table.csv")]
        assert found == rows


def test_terminals(attack, hostile):
    from rich.table import Table

    @attack("text on terminals", text=hostile, encoding=sampled_from(["utf-8", "ascii", "latin-1"]))
    def _(text, encoding):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        console = Console(file=stream, width=2000, force_terminal=False)
        table = Table(title=text)
        table.add_column(text)
        table.add_row(text)
        console.print(text, table, sep="\n")
        stream.flush()
        printed = raw.getvalue().decode(encoding)
        assert not set(printed) & set("\x1b\x07\r\x08\x00\u202e")
        if text.isprintable():
            assert printed.startswith(visible(text, encoding).rstrip()[:500])


def test_names(attack, hostile, tiny, fresh):
    analysis, processes = tiny.TINY.analysis, tiny.TINY.processes

    @attack("names of processes and channels", process=hostile, channel=hostile, workflow=hostile)
    def _(process, channel, workflow):
        try:
            made = dataclasses.replace(
                tiny.TINY,
                name=workflow,
                processes=[*processes, Process(process, datasets=("top",))],
                analysis=dataclasses.replace(
                    analysis, channels=[dataclasses.replace(analysis.channels[0], name=channel)]
                ),
            )
        except ValueError as refused:
            assert "cannot be the name of" in str(refused) or "needs a name of its own" in str(refused)
            return
        # whatever is taken can be written, and is found again
        folder = RunFolder.create(fresh() / made.name)
        histogram = hist.Hist.new.Reg(2, 0, 1, name="x").Weight()
        key = f"{channel}/{process}/start/hard_held_out"
        write_histograms(folder, {key: histogram})
        folder.write_text(f"plots/{channel}.png", "")
        assert list(read_histograms(folder.path)) == [key]
        assert [name.split("/") for name in read_histograms(folder.path)] == [
            [channel, process, "start", "hard_held_out"]
        ]


def test_plots(attack, hostile, fresh):
    @attack("labels of plots", label=hostile, ticks=lists(hostile, min_size=1, max_size=2), title=hostile)
    def _(label, ticks, title):
        def draw():
            figure = new_figure(4, 3)
            axes = figure.subplots()
            axes.stairs([1, 2], [0, 1, 2], label=label)
            axes.set_xlabel(label)
            axes.set_title(title)
            axes.set_yticks(range(len(ticks)), list(map(visible, ticks)))
            axes.text(0.5, 0.5, f"{label} {title}")
            return figure

        folder = RunFolder.create(fresh() / "run")
        gallery = Gallery(folder, "")
        page = gallery.drawn([Plot("a", title, draw)])
        assert page.count("<figure>") == 1, gallery.problems
        assert "<script>" not in page
        assert sorted(path.name for path in (folder.path / "plots").iterdir()) == ["a.pdf", "a.png"]


def test_a_plot_that_fails_costs_no_more_than_itself(tmp_path):
    """And a channel may have the name of another plot, up to small and capital letters."""

    def fail():
        raise RuntimeError("<no> ink")

    gallery = Gallery(RunFolder.create(tmp_path), "")
    page = gallery.drawn([Plot("ht", "first", fail), Plot("HT", "second", lambda: new_figure(2, 2))])
    assert gallery.problems == ["plot ht: it cannot be drawn (RuntimeError: <no> ink)"]
    assert page.count("<figure>") == 1 and "&lt;no&gt; ink" in page
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["HT-2.pdf", "HT-2.png"]


def test_parameters_that_no_stage_could_write(attack, hostile, tiny):
    @attack("names of processes and channels", name=hostile)
    def _(name):
        specs = {**tiny.TINY.parameters.specs, name: Parameter(1.0, bounds=(0, 2))}
        try:
            made = dataclasses.replace(tiny.TINY, parameters=Parameters(**specs))
        except ValueError as refused:
            assert repr(name) in str(refused) or name in str(refused)
            return
        assert ast.parse(f"cut.{name}", mode="eval")
        assert name in made.parameters


def test_json_holds_every_text(attack, hostile, fresh):
    @attack("cells of tables", text=hostile, other=builds(str, hostile))
    def _(text, other):
        folder = RunFolder.create(fresh() / "run")
        folder.write_json("a.json", {text: other})
        assert json.loads((folder.path / "a.json").read_text()) == {text: other}
        folder.write_text("b.toml", other)


def test_two_things_of_one_name_are_refused(tiny, tiny_events, tmp_path):
    """Two modules that mean different numbers by one name."""
    made = []
    for number, limit in enumerate((10, 20)):
        source = tmp_path / f"own{number}.py"
        source.write_text(
            f"LIMIT = {limit}\ndef s{number}(events, cut):\n    return events.select(events.MET.pt > LIMIT)\n"
        )
        namespace: dict[str, object] = {}
        exec(compile(source.read_text(), str(source), "exec"), namespace)
        made.append(stage(reads=("MET_pt",))(namespace[f"s{number}"]))
    analysis = dataclasses.replace(tiny.TINY.analysis, stages=[*made, tiny.TINY.analysis.stages[0]])
    workflow = dataclasses.replace(tiny.TINY, analysis=analysis)
    with pytest.raises(InputError, match="'LIMIT' cannot be exported: two modules of the selection mean different"):
        selection_script(workflow, workflow.parameters, Fileset.load(tiny_events))
