"""What is examined, and what several examinations need to know about it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import jax
import numpy as np

from hepgrad import ragged as rg

from ..analysis import Analysis
from ..comparisons import distances
from ..data.dataset import Dataset
from ..data.pool import Pool
from ..data.split import Split
from ..histogram import Counts
from ..parameters.parameters import Parameters
from ..selection.cut import Hard, Soft
from ..selection.cutflow import Cutflow
from ..statistics.objectives import Evaluation
from ..systematics import Templates
from ..systematics.contract import templates_only


@dataclasses.dataclass(frozen=True)
class Patient:
    """An analysis with its events and the point where it is to start.

    Most examinations look at the first of the samples.
    """

    analysis: Analysis
    parameters: Parameters
    samples: Mapping[str, Dataset]

    @classmethod
    def of(cls, analysis: Analysis, data: Split | Dataset, parameters: Parameters) -> Patient:
        """Return the patient."""
        if isinstance(data, Dataset):
            return cls(analysis, parameters, {"train": data})
        parts = {"train": data.train, "validation": data.validation, "held-out": data.held_out}
        samples = {}
        for name, part in parts.items():
            if isinstance(part, Dataset):
                samples[name] = part
            elif part is not None:
                samples.update({f"{name}, shard {i}": shard for i, shard in enumerate(Pool.of(part).shards)})
        return cls(analysis, parameters, samples)

    @property
    def data(self) -> Dataset:
        """The training events, or their first shard."""
        return next(iter(self.samples.values()))

    @functools.cached_property
    def cutflow(self) -> Cutflow:
        """The events that pass each named selection with hard cuts."""
        return self.analysis.cutflow(self.data, self.parameters)

    @functools.cached_property
    def hard_templates(self) -> Templates:
        """The histograms with hard cuts and those of every variation, as NumPy arrays."""
        return jax.tree.map(np.asarray, self.analysis.histograms(self.data, self.parameters, Hard()))

    @property
    def hard_histograms(self) -> dict[str, Counts]:
        """The histograms with hard cuts, as NumPy arrays of shape (processes, bins + 2)."""
        return self.hard_templates.nominal

    @functools.cached_property
    def slope(self) -> tuple[Evaluation, Parameters]:
        """The objective and its derivatives in the soft reading, in units of the objective per parameter's unit."""
        evaluate = jax.value_and_grad(lambda *at: tuple(self.soft_objective(*at)), has_aux=True)
        evaluation, slope = rg.checked(evaluate)(self.parameters, self.data)
        return Evaluation(*evaluation), slope

    def soft_objective(self, parameters: Parameters, data: Dataset) -> Evaluation:
        """Return the objective in the soft reading, and whether its fits converged."""
        return self.analysis.evaluation(self.analysis.histograms(data, parameters, Soft()), data)

    @functools.cached_property
    def distances(self) -> dict[str, np.ndarray]:
        """How far events and objects lie from each threshold, in units of its width."""
        return distances(self.analysis, self.data, self.parameters)

    @property
    def is_signal(self) -> np.ndarray:
        """Which processes are the signal, bool, shape (processes,)."""
        return np.array([name in self.analysis.model.signal for name in self.data.processes])

    @property
    def is_background(self) -> np.ndarray:
        """Which processes are the nominal background, bool, shape (processes,)."""
        templates = templates_only(self.analysis.model.systematics)
        return ~self.is_signal & np.array([name not in templates for name in self.data.processes])
