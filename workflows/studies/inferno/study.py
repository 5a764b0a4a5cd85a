"""The study: train a network for one benchmark and a classifier on the same events, and compare both on others."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from rich.console import Console

from hepgrad.analysis.statistics.inference.batches import in_batches
from hepgrad.analysis.statistics.objectives import Merit

from ...scanning.search import Contest
from ..study import Findings, Loss, Network, Session, Study, Training, initial
from ..study.random_networks import RandomNetworks, he_spread
from . import published
from .benchmarks import BENCHMARKS, Benchmark
from .bins import BINS, most_likely_bin, optimal_bin, score_bin
from .exact import exact_information
from .losses import CrossEntropy, SignalVariance
from .problem import ToyEvents, draw
from .shapes import hard_shapes
from .table import Row, comparison

HIDDEN = (100, 100)
_PIECE = 10_000  # events evaluated at a time, so that layers fit into the cache


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inferno(Study):
    """INFERNO's synthetic problem.

    Attributes
    ----------
    name, title, steps, seed
        As for every study.
    benchmark
        What the network is trained for, ``"BM0"`` to ``"BM4"``.
    batch
        Signal events in a batch, and as many background events.
    learning_rate
        The highest of the schedule.
    temperature
        Of the softmax in the training.
    train_events, test_events
        Of signal, and as many of background.

    References
    ----------
    P. de Castro, T. Dorigo, INFERNO: Inference-Aware Neural Optimisation, arXiv:1806.04743.

    Examples
    --------
    >>> from hepgrad.workflows.studies.inferno import INFERNO
    >>> INFERNO.benchmark, INFERNO.train_events
    ('BM2', 100000)
    """

    name: str = "inferno"
    title: str = "INFERNO's synthetic problem: the uncertainty on 50 signal events"
    steps: int = 2000
    benchmark: str = "BM2"
    batch: int = 2000
    learning_rate: float = 1e-3
    temperature: float = 0.1
    train_events: int = 100_000
    test_events: int = 500_000

    def __post_init__(self) -> None:
        if self.benchmark not in published.INFERNO:
            raise ValueError(f"there is no benchmark {self.benchmark!r}, only {', '.join(published.INFERNO)}")

    def measure(self, console: Console) -> Findings:
        """Train both networks and compare them; the argument is that of every study."""
        events, test, for_network, for_batches = self._drawn()
        session = Session(console, Training(self.steps, self.learning_rate, self.batch))

        def trained(name: str, loss: Loss, start: Network) -> Network:
            return session.train(name, loss, start, events, key=for_batches)

        loss = SignalVariance(self._goal, self.temperature)
        inferno = trained("INFERNO", loss, self._start(for_network))
        classifier = trained("cross-entropy", CrossEntropy(), initial(for_network, (3, *HIDDEN, 2)))

        rows = [
            Row.of("exact likelihood", exact_information(), published.LIKELIHOOD),
            Row.of("exact classifier, 10 bins", information(optimal_bin, None, test), published.OPTIMAL_CLASSIFIER),
            Row.of("cross-entropy network, 10 bins", information(score_bin, classifier, test), published.CROSS_ENTROPY),
            Row.of(
                f"INFERNO, trained for {self.benchmark}",
                information(most_likely_bin, inferno, test),
                published.INFERNO[self.benchmark],
            ),
        ]
        return Findings(
            tables=[comparison(rows)],
            numbers={
                "sigma_s": [dataclasses.asdict(row) for row in rows],
                "seconds": session.seconds,
                "seconds_per_step": session.seconds_per_step,
            },
            history=session.history,
        )

    def contest(self) -> Contest:
        """Return the uncertainty with the bins of a network, hard, on the events of the training and of the tests."""
        events, test, for_network, _ = self._drawn()
        start = self._start(for_network)

        def objective(network: Network, events: ToyEvents) -> float:
            return -float(jnp.log(self._goal.sigma(information(most_likely_bin, network, events))))

        return Contest(
            start,
            RandomNetworks(he_spread(start)),
            functools.partial(objective, events=events),
            functools.partial(objective, events=test),
            Merit("Expected uncertainty of s", "sigma(s)", logarithmic=True),
        )

    @property
    def _goal(self) -> Benchmark:
        return next(benchmark for benchmark in BENCHMARKS if benchmark.name == self.benchmark)

    def _start(self, key: jax.Array) -> Network:
        # at a low temperature some bins would never win, and never learn: start as if it were 1
        return initial(key, (3, *HIDDEN, BINS), last=self.temperature)

    def _drawn(self) -> tuple[ToyEvents, ToyEvents, jax.Array, jax.Array]:
        """Return events for the training and for the tests, and the keys of the network and of batches."""
        for_training, for_tests, *keys = jax.random.split(jax.random.key(self.seed), 4)
        return draw(for_training, self.train_events), draw(for_tests, self.test_events), *keys


@functools.partial(jax.jit, static_argnames="bin_of")
def information(
    bin_of: Callable[[Network | None, jax.Array], jax.Array], network: Network | None, events: ToyEvents
) -> jax.Array:
    """Return the Fisher information of the hard counts in 10 bins, shape (4, 4).

    ``bin_of`` goes from a network and an event to the index of its bin.
    """

    def bins_of(sample: jax.Array) -> jax.Array:
        return in_batches(functools.partial(bin_of, network), sample, size=_PIECE)

    return hard_shapes(bins_of, events, BINS).information()


INFERNO = Inferno()
