"""The HistFactory model: expected data and log-probability as differentiable functions of parameters and templates."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.ragged.tracing import is_known

from .channel import FitChannel
from .constraints import Constraints, constraints
from .densities import poisson_deviance, poisson_logpdf
from .evaluation import expectation
from .layout import ChannelLayout, ModelLayout, SampleLayout, with_constant
from .parameters import ParameterConfig, ParameterSet
from .templates import ModelTemplates, check_packed, checked, join, number_of_bins, pack, unpack


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, init=False, eq=False, repr=False)
class Model:
    r"""A binned statistical model of channels, samples and modifiers (HistFactory), a pytree.

    The expectation of bin b is a sum over samples s,

    .. math:: \nu_b(\theta) = \sum_s \prod_\kappa \kappa_{sb}(\theta) \left( \nu^0_{sb} + \sum_\Delta
              \Delta_{sb}(\theta) \right)

    with the factors :math:`\kappa` of all modifiers but ``histosys``, which adds :math:`\Delta`; the probability of
    data :math:`(n, a)` is the product of Poisson terms and of the auxiliary measurements that constrain parameters,

    .. math:: p(n, a | \theta) = \prod_b \text{Poisson}(n_b | \nu_b(\theta)) \prod_p c_p(a_p | \theta_p).

    Numbers agree with pyhf's; vectors of parameters and of data have pyhf's order (channels, samples and modifiers
    sorted by name; modifier types as in `layout.ModelLayout.parameter_sets`). Histograms may be traced: build the model
    inside the function that is differentiated. Leaves are the few packed arrays of `templates`, so compiling takes the
    same time for ten modifiers as for a hundred. Computes in float64 where x64 is enabled; in float32 otherwise, where
    log-probabilities of many events carry only 6 to 7 digits: too few to fit with.

    Parameters
    ----------
    channels
        At least one; all names are free.
    parameter_of_interest
        Name of a parameter with one component, or None.
    parameters
        Settings that differ from the defaults.
    normsys_code, histosys_code
        Interpolation: ``"code1"``, ``"code4"`` or ``"combine"``; ``"code0"``, ``"code2"`` or ``"code4p"``.

    Raises
    ------
    ValueError
        When names repeat or contradict each other, bins do not match, a number is not finite, factors or uncertainties
        are negative, or the parameter of interest changes nothing. Of traced histograms only the shapes
        can be checked.

    References
    ----------
    K. Cranmer et al., HistFactory: A tool for creating statistical models for use with RooFit and RooStats,
    CERN-OPEN-2012-016. J. S. Conway, arXiv:1103.0354 (one factor a bin for the simulation's statistics).

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys, StatError
    >>> signal = FitSample("signal", [5.0, 10.0], [NormFactor("mu")])
    >>> uncertainties = [NormSys("xsec", hi=1.1, lo=0.9), StatError("mc", sumw2=[4, 4])]
    >>> background = FitSample("background", [50.0, 20.0], uncertainties)
    >>> model = Model([FitChannel("4j1b", [signal, background])], parameter_of_interest="mu")
    >>> model.parameter_names
    ('mu', 'xsec', 'mc[0]', 'mc[1]')
    >>> print(model.expected_data(model.vector({"mu": 2.0})))
    [60. 40.  0.  1.  1.]
    >>> data = model.data({"4j1b": [58, 31]})
    >>> print(f"{model.logpdf(model.initial, data):.3f}")
    -2.921
    """

    layout: ModelLayout
    templates: ModelTemplates

    def __init__(
        self,
        channels: Sequence[FitChannel],
        *,
        parameter_of_interest: str | None = None,
        parameters: Sequence[ParameterConfig] = (),
        normsys_code: str = "code4",
        histosys_code: str = "code4p",
    ) -> None:
        if not channels:
            raise ValueError("a model needs at least one channel")
        layout = ModelLayout(
            channels=tuple(_layout_of(channel) for channel in channels),
            parameter_of_interest=parameter_of_interest,
            configs=tuple(parameters),
            normsys_code=normsys_code,
            histosys_code=histosys_code,
        )
        self._set(layout, pack(layout, channels))
        _check_parameter_of_interest(layout, self.templates)

    def _set(self, layout: ModelLayout, templates: ModelTemplates) -> None:
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "templates", templates)

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, ModelTemplates]], ModelLayout]:
        """Return the templates, which are the leaves, and the static layout."""
        return ((jax.tree_util.GetAttrKey("templates"), self.templates),), self.layout

    @classmethod
    def tree_unflatten(cls, layout: ModelLayout, children: tuple[ModelTemplates]) -> Model:
        """Return the model with these templates, whatever JAX puts in their place."""
        model = object.__new__(cls)
        model._set(layout, *children)
        return model

    @classmethod
    def packed(cls, layout: ModelLayout, templates: ModelTemplates) -> Model:
        """Return the model of numbers that are packed already.

        Parameters
        ----------
        layout
            The structure.
        templates
            The numbers, as `ModelTemplates` describes them.

        Raises
        ------
        ValueError
            When a known number is not finite, or negative where it may not be, or the parameter of interest changes
            nothing.
        """
        check_packed(layout, templates)
        _check_parameter_of_interest(layout, templates)
        return cls.tree_unflatten(layout, (templates,))

    def with_constant(self, yields: jax.Array) -> Model:
        """Return the model with one more sample, which no parameter changes.

        Parameters
        ----------
        yields
            Its expected events in the bins of all channels, in the order of the model, shape (bins,).

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
        >>> model = Model([FitChannel("SR", [FitSample("signal", [1.0, 2.0], [NormFactor("mu")])])])
        >>> print(model.with_constant(jnp.array([0.5, 0.0])).expected_data(model.initial))
        [1.5 2. ]
        """
        # the last one, without modifiers: the varied templates need no entries for it
        nominal = jnp.concatenate([self.templates.nominal, yields[None]])
        templates = dataclasses.replace(self.templates, nominal=nominal)
        return Model.tree_unflatten(with_constant(self.layout), (templates,))

    def __repr__(self) -> str:
        channels = ", ".join(f"{channel.name} ({channel.bins} bins)" for channel in self.layout.channels)
        return f"Model({channels}; {len(self.layout.sample_names)} samples, {self.layout.size} parameters)"

    @property
    def channels(self) -> tuple[FitChannel, ...]:
        """Channels, samples and modifiers as the model was built from them, and as it is written to files.

        Of sources whose events are interpolated they have the templates at one standard deviation only, and a warning
        says so.
        """
        if self.layout.eventwise:
            warnings.warn(
                f"the interpolation of events of {', '.join(self.layout.eventwise)} has no place in channels of "
                "HistFactory: what is made of them, such as a workspace, interpolates the templates at +-1 instead",
                stacklevel=2,
            )
        return unpack(self.layout, self.templates)

    @property
    def parameter_of_interest(self) -> str | None:
        """Its name, or None."""
        return self.layout.parameter_of_interest

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of all components in the order of their vector: ``mu``, ``mc[0]``, ``mc[1]``, ..."""
        return tuple(name for parameters in self.layout.parameter_sets for name in parameters.component_names)

    @property
    def initial(self) -> jax.Array:
        """Where fits start, shape (parameters,)."""
        return jnp.asarray(self.layout.settings("initial"), self.templates.nominal.dtype)

    @property
    def bounds(self) -> jax.Array:
        """(lowest, highest) value of each component, shape (parameters, 2)."""
        pairs = [pair for parameters in self.layout.parameter_sets for pair in parameters.bounds]
        return jnp.asarray(pairs, self.templates.nominal.dtype)

    @property
    def fixed(self) -> jax.Array:
        """Whether fits hold a component, shape (parameters,), bool: by its configuration, or without uncertainty."""
        return self.constraints.fixed

    @property
    def auxdata(self) -> jax.Array:
        """Observed values of the auxiliary measurements, shape (auxiliary data,)."""
        return self.constraints.observed

    @property
    def constraints(self) -> Constraints:
        """Widths and observed values of the auxiliary measurements, which follow from the templates."""
        return _constraints(self)

    def index(self, name: str) -> int | slice:
        """Return the position of a parameter in the vector, or a slice if it has one component a bin.

        Raises
        ------
        KeyError
            When there is none of this name.
        """
        self._check_names([name])
        position = self.layout.parameter_slices[name]
        return position.start if self._is_scalar(name) else position

    def vector(self, parameters: Any) -> jax.Array:
        """Return the vector of parameters, which all methods take, from values by name.

        Parameters
        ----------
        parameters
            By name: numbers, or one number for each component; parameters not named get their start. A vector is
            checked and returned.

        Raises
        ------
        KeyError
            When there is no parameter of a name.
        ValueError
            When a vector or a value has another shape.
        """
        if isinstance(parameters, Mapping):
            self._check_names(parameters)
            pieces = [parameters.get(p.name, p.initial) for p in self.layout.parameter_sets]
            return join((_vector_of(*pair) for pair in zip(pieces, self.layout.parameter_sets, strict=True)), (-1,))
        vector = jnp.asarray(parameters, self.templates.nominal.dtype)
        if vector.shape != (self.layout.size,):
            raise ValueError(
                f"parameters must be a vector of the {self.layout.size} components in `parameter_names`, or values by "
                f"name; got an array of shape {vector.shape}"
            )
        return vector

    def named(self, parameters: Any) -> dict[str, jax.Array]:
        """Return the parameters by name: scalars, and vectors for parameters with one component a bin."""
        vector = self.vector(parameters)
        return {parameters.name: vector[self.index(parameters.name)] for parameters in self.layout.parameter_sets}

    def by_channel(self, main: Any) -> dict[str, jax.Array]:
        """Split the last axis, the bins of all channels, by channel."""
        array = jnp.asarray(main)
        return {name: array[..., bins] for name, bins in self.layout.channel_slices.items()}

    def data(self, observations: Mapping[str, Any], auxdata: Any = None) -> jax.Array:
        """Return the vector of data: the bins of all channels, then the auxiliary data.

        Parameters
        ----------
        observations
            Observed events of each channel, shape (bins,), not negative.
        auxdata
            Shape (auxiliary data,); by default those that the model was built with.

        Raises
        ------
        ValueError
            When a channel is missing or unknown, the number of bins is wrong, or a number is negative or not finite.
        """
        slices = self.layout.channel_slices
        if set(observations) != set(slices):
            raise ValueError(f"observations must be given for the channels {list(slices)}, got {list(observations)}")
        bins = [
            checked(f"observations of channel {name!r}", observations[name], slices[name].stop - slices[name].start)
            for name in slices
        ]
        auxiliary = self.auxdata if auxdata is None else jnp.asarray(auxdata)
        if auxiliary.shape != self.layout.constrained.shape:
            raise ValueError(f"auxdata must have shape {self.layout.constrained.shape}, got {auxiliary.shape}")
        return jnp.concatenate([*bins, auxiliary]).astype(self.templates.nominal.dtype)

    def split(self, data: Any) -> tuple[jax.Array, jax.Array]:
        """Return the events in bins and the auxiliary data of a vector of data.

        Raises
        ------
        ValueError
            When the shape is wrong.
        """
        array = jnp.asarray(data, self.templates.nominal.dtype)
        bins, auxiliary = self.layout.bins, self.layout.constrained.size
        if array.shape != (bins + auxiliary,):
            raise ValueError(
                f"data must be a vector of {bins} bins and {auxiliary} auxiliary measurements, got an array of shape "
                f"{array.shape}; `data` makes one from the observations of each channel"
            )
        return array[:bins], array[bins:]

    def expected_samples(self, parameters: Any) -> jax.Array:
        """Return the expected events of each sample, shape (samples, bins); samples as in ``layout.sample_names``."""
        return _expected_samples(self, self.vector(parameters))

    def expected_actualdata(self, parameters: Any) -> jax.Array:
        """Return the expected events in the bins of all channels, without auxiliary data, shape (bins,)."""
        return jnp.sum(self.expected_samples(parameters), axis=0)

    def expected_auxdata(self, parameters: Any) -> jax.Array:
        """Return the expected auxiliary data, shape (auxiliary data,)."""
        return self.constraints.expected(self.vector(parameters))

    def expected_data(self, parameters: Any) -> jax.Array:
        """Return the Asimov data: expected events and expected auxiliary data, in the layout of `data`."""
        return jnp.concatenate([self.expected_actualdata(parameters), self.expected_auxdata(parameters)])

    def logpdf(self, parameters: Any, data: Any) -> jax.Array:
        """Return the logarithm of the probability (density) of the data, scalar.

        Parameters
        ----------
        parameters
            Shape (parameters,), or values by name as in `vector`.
        data
            Events in all bins, then auxiliary data, as `data` makes it.

        Returns
        -------
        jax.Array
            Minus infinity where events are observed but none are expected, or the expectation is negative.

        Raises
        ------
        ValueError
            When a shape is wrong.
        """
        return _logpdf(self, self.vector(parameters), *self.split(data))

    def mainlogpdf(self, parameters: Any, maindata: Any) -> jax.Array:
        """Return the part of `logpdf` of the events in bins (without auxiliary data), scalar."""
        return jnp.sum(poisson_logpdf(jnp.asarray(maindata), self.expected_actualdata(parameters)))

    def constraint_logpdf(self, parameters: Any, auxdata: Any) -> jax.Array:
        """Return the part of `logpdf` of the auxiliary data, scalar."""
        return self.constraints.logpdf(self.vector(parameters), jnp.asarray(auxdata))

    def deviance(self, parameters: Any, data: Any) -> jax.Array:
        r"""Return :math:`-2 \ln L(\theta) / L_\text{saturated}`, the quantity that fits minimise, scalar.

        The saturated model predicts each bin and each auxiliary measurement perfectly, so the difference to
        ``-2 * logpdf`` does not depend on the parameters. The deviance of Asimov data is 0, without cancellation.

        Parameters
        ----------
        parameters, data
            As in `logpdf`.

        Returns
        -------
        jax.Array
            Not negative; infinity where `logpdf` is minus infinity.
        """
        return _deviance(self, self.vector(parameters), *self.split(data))

    def _is_scalar(self, name: str) -> bool:
        return next(parameters.is_scalar for parameters in self.layout.parameter_sets if parameters.name == name)

    def _check_names(self, names: Iterable[str]) -> None:
        known = self.layout.parameter_slices
        if unknown := [name for name in names if name not in known]:
            raise KeyError(f"the model has no parameter {unknown[0]!r}; it has {list(known)}")


# Compiled each on its own, so that calls outside `jit` are fast after the first.


@jax.jit
def _constraints(model: Model) -> Constraints:
    return constraints(model.layout, model.templates)


@jax.jit
def _expected_samples(model: Model, parameters: jax.Array) -> jax.Array:
    return expectation(model.layout, model.templates).samples(parameters)


@jax.jit
def _logpdf(model: Model, parameters: jax.Array, main: jax.Array, auxdata: jax.Array) -> jax.Array:
    return model.mainlogpdf(parameters, main) + model.constraint_logpdf(parameters, auxdata)


@jax.jit
def _deviance(model: Model, parameters: jax.Array, main: jax.Array, auxdata: jax.Array) -> jax.Array:
    bins = poisson_deviance(main, model.expected_actualdata(parameters))
    return jnp.sum(bins) + model.constraints.deviance(parameters, auxdata)


def _vector_of(value: Any, parameters: ParameterSet) -> Any:
    if np.shape(value) not in ((), (parameters.size,)):
        raise ValueError(
            f"the parameter {parameters.name!r} has {parameters.size} components, got an array of shape "
            f"{np.shape(value)}"
        )
    if is_known(value):
        return np.broadcast_to(np.asarray(value, float), parameters.size)
    return jnp.broadcast_to(value, parameters.size)


def _layout_of(channel: FitChannel) -> ChannelLayout:
    samples = tuple(
        SampleLayout(sample.name, tuple((modifier.type, modifier.name) for modifier in sample.modifiers))
        for sample in channel.samples
    )
    return ChannelLayout(channel.name, number_of_bins(channel), samples)


def _check_parameter_of_interest(layout: ModelLayout, templates: ModelTemplates) -> None:
    """Refuse a parameter of interest that only scales samples without any events."""
    name = layout.parameter_of_interest
    cells = layout.cells_of["normfactor"].get(name, ()) if name is not None else ()
    if not cells or not is_known(templates.nominal):
        return
    nominal = np.asarray(templates.nominal)
    if not any(nominal[cell.sample, cell.bins].any() for cell in cells):
        where = sorted({f"{layout.sample_names[cell.sample]!r}" for cell in cells})
        raise ValueError(f"the parameter of interest {name!r} has no effect: all yields of {', '.join(where)} are zero")
