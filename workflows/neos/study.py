"""The study: train a network and its bins for CLs, classifiers on the same events, and compare them on others."""

from __future__ import annotations

import dataclasses

import jax
from rich.console import Console

from hepgrad.analysis.statistics import Model, to_workspace
from hepgrad.analysis.statistics.inference import asimov_data

from ..study import Findings, Loss, Session, Study, Training
from .losses import CrossEntropy, ExpectedCLs
from .problem import classifier_shapes, draw
from .summary import Summary
from .table import Row, comparison
from .templates import hard_shapes, statistical_model

HIDDEN = (100, 100)


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
    >>> from hepgrad.workflows.neos import NEOS
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
        for_training, for_tests, for_network, for_batches = jax.random.split(jax.random.key(self.seed), 4)
        events, test = draw(for_training, self.events), draw(for_tests, self.events)
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
            files={"workspace.json": to_workspace(models["CLs"], asimov_data(models["CLs"], 0.0))},
        )


@jax.jit
def hard_model(summary: Summary, events: jax.Array) -> Model:
    """Return the statistical model of hard histograms.

    Parameters
    ----------
    summary
        The network and its bins.
    events : jax.Array
        Shape (samples, n, 2).
    """
    return statistical_model(hard_shapes(summary.scores(events), summary.edges))


NEOS = Neos()
