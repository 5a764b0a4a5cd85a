"""The command line: whatever is typed, and whatever the machine does, it ends with one line and a known code."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis.strategies import integers, lists, sampled_from

from hepgrad.workflows import execution
from hepgrad.workflows.checkpoint import CheckpointFile
from hepgrad.workflows.errors import EXIT_CODES, InputError
from hepgrad.workflows.messages.redaction import redacted
from hepgrad.workflows.results.run_folder import RunFolder
from hepgrad.workflows.settings.config import configured, parse_settings
from hepgrad.workflows.workflow import Workflow

COMMANDS = [
    ["new"],
    ["report"],
    ["cache", "list"],
    ["cache", "verify"],
    ["cache", "clear"],
    ["cache", "clear", "--dry-run"],
    ["run"],
    ["check"],
    ["scan"],
    ["fit"],
    ["run", "tiny:TINY", "--data"],
    ["run", "tiny:TINY", "--config"],
    ["run", "tiny:TINY", "--set"],
    ["run", "tiny:TINY", "--data", "nowhere", "--output"],
    ["report", "--dry-run"],
]


@pytest.mark.thorough
def test_arguments(attack, hostile, tiny, command, fresh, monkeypatch):
    @attack("command lines", words=sampled_from(COMMANDS), text=hostile.filter(lambda t: not t.startswith("-")))
    def _(words, text):
        monkeypatch.chdir(fresh())
        ended = command(*words, text)
        assert ended.code in EXIT_CODES
        assert not set(ended.err) & set("\x1b\x07\x00")

    @attack(
        "command lines",
        words=lists(sampled_from(["run", "cache", "list", "--set", "--debug", "x", "", "--"]), max_size=4),
    )
    def _(words):
        monkeypatch.chdir(fresh())
        assert command(*words).code in EXIT_CODES


@pytest.mark.thorough
def test_settings(attack, hostile, tiny):
    keys = ["steps", "learning_rate", "parameters.met", "parameters.met.bounds", "anneal.stop", "data", "skim", "seed"]
    values = sampled_from(["0", "-1", "nan", "inf", "1e400", "[]", "{}", "true", '""', "[1, 2]", "9" * 400]) | hostile

    @attack("configurations", key=sampled_from(keys) | hostile, value=values)
    def _(key, value):
        try:
            made = configured(tiny.TINY, parse_settings([f"{key}={value}"]), origin="--set")
        except InputError as refused:
            assert str(refused)
        else:
            assert isinstance(made, Workflow)


SECRETS = ["token=s3cr3t", "X-Amz-Signature=s3cr3t&x=1", "authz=s3cr3t", "s3cr3t"]
HOSTS = ["host.example", "alice@host.example", "alice:s3cr3t@host.example:1094", "s3cr3t:x@[::1]"]


def test_secrets(attack, hostile):
    @attack(
        "secrets in URLs",
        scheme=sampled_from(["https", "root", "s3", "http+unix"]),
        host=sampled_from(HOSTS),
        secret=sampled_from(SECRETS),
        before=sampled_from(["", "cannot read ", "('", '"', "<"]),
        after=sampled_from(["", ": not found", ", or", "')", '"', ">", "\nand more"]),
    )
    def _(scheme, host, secret, before, after):
        told = redacted(f"{before}{scheme}://{host}//store/a.root?{secret}{after}")
        assert "s3cr3t" not in told
        assert "alice" not in told
        assert "/store/a.root" in told
        assert told.startswith(before) and told.endswith(after)

    @attack("secrets in URLs", text=hostile)
    def _(text):
        assert redacted(text) == text or "://" in text


NAMES = ("parameters.json", "history.csv", "result.json", "cutflow.csv", "histograms.json")


@pytest.fixture
def ways_to_go_on(attack, fresh, command, monkeypatch):
    """Interrupt a run at any step and any file, by Ctrl-C, a full disk or too little memory, and go on with it."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    errors = [KeyboardInterrupt(), MemoryError(), *(OSError(n, os.strerror(n), "result.json") for n in full)]

    def interrupted(share, arguments, expected, steps):
        @attack("interruptions", share=share, at=integers(1, steps), error=sampled_from(errors))
        def _(at, error):
            output, count = fresh() / "run", 0

            def counting(function):
                def counted(*arguments, **options):
                    nonlocal count
                    count += 1
                    if count == at:
                        raise type(error)(*error.args)
                    return function(*arguments, **options)

                return counted

            with monkeypatch.context() as patch:
                patch.setattr(CheckpointFile, "save", counting(CheckpointFile.save))
                patch.setattr(RunFolder, "write_text", counting(RunFolder.write_text))
                ended = command(*arguments, "--output", output)
            checkpoint = output.with_name("run.checkpoint.npz")
            if count < at:
                assert ended.code == 0
            else:
                assert ended.code == (130 if isinstance(error, KeyboardInterrupt) else 3)
                assert len(ended.err.strip().splitlines()) == 1
                assert not output.with_name("run.lock").exists()
                if checkpoint.exists():
                    assert "go on with: hepgrad run tiny:TINY" in ended.err and ended.err.rstrip().endswith("--resume")
                    refused = command(*arguments, "--output", output)
                    assert refused.code == 2 and ("an interrupted run left" in refused.err or output.exists())
                    assert command(*arguments, "--output", output, "--resume").code == 0
                else:
                    assert command(*arguments, "--output", output).code == 0
            assert not checkpoint.exists()
            assert {name: (output / name).read_bytes() for name in NAMES} == expected

    return interrupted


@pytest.mark.thorough
def test_interrupted(ways_to_go_on, tiny, tiny_events, fresh, command, monkeypatch):
    monkeypatch.setattr(execution, "write_report", lambda *arguments: None)
    arguments = ["run", "tiny:TINY", "--data", tiny_events, "--steps", "4", "--quiet", "--set", "replicas=2"]
    whole, states, save, search = fresh() / "run", [], CheckpointFile.save, execution._found
    found = []
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointFile, "save", lambda file, state: (states.append(state), save(file, state)))
        patch.setattr(execution, "_found", lambda *a, **b: found.append(search(*a, **b)) or found[0])
        assert command(*arguments, "--output", whole).code == 0
    expected = {name: (whole / name).read_bytes() for name in NAMES}
    ways_to_go_on(0.02, arguments, expected, 16)

    def at_once(workflow, fileset, console, checkpoint, *, resume, **options):
        """What was found before, with all checkpoints on the way to it."""
        if resume:
            assert checkpoint.load(workflow.parameters, workflow.optimizer).attempt.best_step <= 4
        for state in states:
            checkpoint.save(state)
        return found[0]

    monkeypatch.setattr(execution, "_found", at_once)
    ways_to_go_on(1.0, arguments, expected, 18)

    def fails(error):
        def fail(*arguments):
            raise error

        return fail

    # results are written before they are printed or drawn: what fails then costs no more than itself
    for part, error, code, told in (
        ("_show", BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, "hepgrad: the output was closed"),
        ("write_report", RuntimeError("no fonts"), 0, "hepgrad: warning: there is no report (RuntimeError: no fonts)"),
    ):
        output = fresh() / "run"
        with monkeypatch.context() as patch:
            patch.setattr(execution, part, fails(error))
            ended = command(*arguments, "--output", output)
        assert ended.code == code and ended.err.startswith(told)
        assert RunFolder.open(output).facts["status"] == "finished"
        assert {name: (output / name).read_bytes() for name in NAMES} == expected
        assert sorted(each.name for each in output.parent.iterdir()) == ["run"]


def run_python(code, *arguments, **options):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, **options)


MAIN = "import sys; from hepgrad.workflows.cli import main; sys.exit(main(sys.argv[1:]))"


def test_a_pipe_that_is_closed():
    code = (
        "import os, sys, subprocess; read, write = os.pipe(); os.close(read);"
        "done = subprocess.run([sys.executable, '-c', sys.argv[1], 'list'], stdout=write, stderr=subprocess.PIPE);"
        "print(done.returncode, done.stderr.decode())"
    )
    done = run_python(code, MAIN)
    assert done.stdout.startswith("141 hepgrad: the output was closed"), done


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "code"), [(["list"], 3), (["--print-completion", "bash"], 3), (["run", "--help"], 3)]
)
def test_a_disk_that_is_full(words, code):
    # also without a buffer, where the first character already fails
    for options in ((), ("-u",)):
        program = [sys.executable, *options, "-c", MAIN, *words]
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == code
        assert done.stderr == "hepgrad: No space left on device; make room, or choose another folder\n"


@pytest.mark.thorough
def test_streams_that_are_closed():
    code = "import os, sys; os.close(1); os.close(2); os.execv(sys.executable, [sys.executable, '-c', *sys.argv[1:]])"
    assert run_python(code, MAIN, "list").returncode == 0
    assert run_python(code, MAIN, "report", "nowhere").returncode == 2


@pytest.mark.thorough
def test_a_terminal_that_knows_ascii_only(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = run_python(MAIN, "report", "σ→日本", cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert done.stderr.isascii() and done.stderr.startswith("hepgrad: there is no run folder \\u")


def test_debug_shows_the_traceback(command, capsys):
    from hepgrad.workflows.cli.program import main

    assert main(["report", "nowhere", "--debug"]) == main(["--debug", "report", "nowhere"]) == 2
    assert capsys.readouterr().err.count("Traceback (most recent call last)") == 2
    assert command("report", "nowhere").message.startswith(
        "hepgrad: there is no run folder nowhere; `hepgrad run` writes one"
    )


def test_an_error_of_the_user_s_own_says_where(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_one.py").write_text("x = 1\ny = 1 / 0\n")
    (tmp_path / "broken_two.py").write_text("x = (\n")
    assert "broken_one cannot be imported: ZeroDivisionError: division by zero" in command("run", "broken_one:W").err
    assert "broken_two cannot be imported: " in command("run", "broken_two:W").err


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a b", "my.search", "class", "json", "x\0"])
def test_new_with_a_name_that_no_module_has(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("new", name).code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_ctrl_c_while_nothing_is_there_to_go_on_with(tmp_path):
    """A real signal to a real process."""
    (tmp_path / "slow.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    # where the tests run in the background, the signal may be ignored by all that they start
    program = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {MAIN}"
    with subprocess.Popen(
        [sys.executable, "-c", program, "run", "slow:W"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (130, "hepgrad: interrupted\n")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "digits"])
@pytest.mark.parametrize(
    "words", [["run", "tiny:TINY", "--config"], ["run", "tiny:TINY", "--data"], ["fit"], ["report"]]
)
def test_what_is_no_file(words, kind, tmp_path, command, tiny):
    """Nothing is waited for, and nothing is read without end."""
    path = tmp_path / "input"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_text(f'{{"a": {"9" * 5000}}}' if words[-1] != "--config" else f"steps = {'9' * 5000}")
    ended = command(*words, path)
    assert ended.code == 2
    assert str(path) in ended.err


def test_the_codes_are_documented(command):
    page = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
    told = command("--help").out
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in page
        assert f"{code:5}  {meaning}" in told
