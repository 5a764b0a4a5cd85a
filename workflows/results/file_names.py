"""What the files of a run folder are called, for those who write them and those who read them."""

from __future__ import annotations

# what the run was, and which files it wrote
RUN_FILE = "run.json"
CONFIG = "config.toml"
PARAMETERS, PARAMETERS_TABLE = "parameters.json", "parameters.csv"
HISTORY, CUTFLOW, CUTFLOW_LATEX = "history.csv", "cutflow.csv", "cutflow.tex"
RESULT = "result.json"
HISTOGRAMS, HISTOGRAMS_ROOT = "histograms.json", "histograms.root"
OBSERVED = "observed.json"
# cuts that were moved one by one
ROBUSTNESS = "robustness.json"
# cuts that were left out, and searches that were repeated
SIMPLER, REPEATED = "simpler.json", "repeated.json"
WORKSPACE = "workspace.json"
SYSTEMATICS, IMPACTS, PULLS = "systematics.csv", "impacts.csv", "pulls.csv"
# the parts of the uncertainty of the parameter of interest
UNCERTAINTY = "uncertainty.json"
# what the report says that no other file does, and the report
SUBJECT, REPORT = "report.json", "report.html"
# of scans
TRIALS, BEST = "trials.csv", "best.json"
# of studies
TABLES = "tables.md"
