"""The study: train a network and its bins for CLs, classifiers on the same events, and compare them on others."""

from __future__ import annotations

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
from rich.console import Console

from hepgrad.analysis.statistics import Model, to_workspace
from hepgrad.analysis.statistics.inference import asimov_data
from hepgrad.analysis.statistics.objectives import CLs, Evaluation, merit

from ...results import file_names
from ...scanning.search import Contest
from ..study import Findings, Loss, Session, Study, Training
from ..study.random_networks import RandomNetworks, he_spread
from .losses import CrossEntropy, ExpectedCLs
from .problem import classifier_shapes, draw
from .summary import Summary
from .table import Row, comparison
from .templates import hard_shapes, statistical_model

HIDDEN = (100, 100)
# of the logarithms of the bins' widths, where a search draws them
BIN_SPREAD = 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Neos(Study):
    """neos' blobs.

    Attributes
    ----------
    name, title, steps, seed
        As for every study.
    events
        Of each sample, for the training, and as many for the tests.
    bandwidth
        Of the soft histograms.
    learning_rate
        The highest of the schedule.

    References
    ----------
    N. Simpson, L. Heinrich, neos: End-to-End-Optimised Summary Statistics for High Energy Physics, arXiv:2203.05570.

    Examples
    --------
    >>> from hepgrad.workflows.studies.neos import NEOS
    >>> NEOS.steps, NEOS.events
    (60, 10000)
    """

    name: str = "neos"
    title: str = "neos' blobs: the expected exclusion of 20 signal events among 100 background events"
    steps: int = 60
    events: int = 10_000
    bandwidth: float = 0.09
    learning_rate: float = 1e-2

    def measure(self, console: Console) -> Findings:
        """Train the networks and compare them; the argument is that of every study."""
        events, test, for_network, for_batches = self._drawn()
        session = Session(console, Training(self.steps, self.learning_rate))

        def trained(name: str, loss: Loss) -> Model:
            start = Summary.initial(for_network, HIDDEN)
            summary = session.train(name, loss, start, events, key=for_batches)
            return hard_model(summary, test)

        models = {
            "CLs": trained("CLs", ExpectedCLs(self.bandwidth)),
            "cross-entropy": trained("cross-entropy", CrossEntropy()),
            "cross-entropy, shifted too": trained("cross-entropy, shifted too", CrossEntropy(backgrounds=3)),
            "exact classifier": statistical_model(classifier_shapes()),
        }
        rows = [Row.of(name, model, session.seconds_per_step.get(name)) for name, model in models.items()]
        return Findings(
            tables=[comparison(rows)],
            numbers={"rows": [dataclasses.asdict(row) for row in rows], "seconds": session.seconds},
            history=session.history,
            files={file_names.WORKSPACE: to_workspace(models["CLs"], asimov_data(models["CLs"], 0.0))},
        )

    def contest(self) -> Contest:
        """Return the CLs of a network and its bins, hard, on the events of the training and of the tests."""
        events, test, for_network, _ = self._drawn()
        start = Summary.initial(for_network, HIDDEN)

        def objective(summary: Summary, events: jax.Array) -> float:
            value, converged = _cls(hard_model(summary, events))
            return float(value) if converged else math.nan

        return Contest(
            start,
            RandomNetworks(Summary(he_spread(start.network), jnp.full_like(start.log_widths, BIN_SPREAD))),
            functools.partial(objective, events=events),
            functools.partial(objective, events=test),
            merit(CLs()),
        )

    def _drawn(self) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Return events for the training and for the tests, and the keys of the network and of batches."""
        for_training, for_tests, *keys = jax.random.split(jax.random.key(self.seed), 4)
        return draw(for_training, self.events), draw(for_tests, self.events), *keys


@jax.jit
def _cls(model: Model) -> Evaluation:
    return CLs().confirmed(model)


@jax.jit
def hard_model(summary: Summary, events: jax.Array) -> Model:
    """Return the statistical model of hard histograms.

    Events have shape (samples, n, 2).
    """
    return statistical_model(hard_shapes(summary.scores(events), summary.edges))


NEOS = Neos()
