"""The auxiliary measurements that constrain parameters: widths and factors, some of which follow from the templates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from .densities import normal_deviance, normal_logpdf, poisson_deviance, poisson_logpdf
from .layout import ModelLayout
from .templates import ModelTemplates

Density = Callable[..., jax.Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Constraints:
    """The auxiliary measurements, one for each component of the constrained parameters, in their order.

    Attributes
    ----------
    layout
        Structure of the model (static).
    variance
        Squared width of Gaussian constraints, shape (parameters,); without meaning for other parameters.
    factor
        Expected events of auxiliary Poisson measurements at parameter 1, shape (parameters,); 1 for other parameters.
    observed
        Observed auxiliary data, shape (auxiliary data,).
    fixed
        Whether fits hold a component, shape (parameters,).
    """

    layout: ModelLayout = dataclasses.field(metadata={"static": True})
    variance: jax.Array
    factor: jax.Array
    observed: jax.Array
    fixed: jax.Array

    def expected(self, parameters: jax.Array) -> jax.Array:
        """Return the expected auxiliary data, shape (auxiliary data,)."""
        return (self.factor * parameters)[self.layout.constrained]

    def logpdf(self, parameters: jax.Array, auxdata: jax.Array) -> jax.Array:
        """Return the log-probability of the auxiliary data, scalar."""
        return self._sum(normal_logpdf, poisson_logpdf, parameters, auxdata)

    def deviance(self, parameters: jax.Array, auxdata: jax.Array) -> jax.Array:
        """Return twice the log-probability lacking to that of perfect predictions, scalar."""
        return self._sum(normal_deviance, poisson_deviance, parameters, auxdata)

    def information(self, parameters: jax.Array) -> jax.Array:
        """Return the Fisher information of each parameter (they are independent), shape (parameters,)."""
        poisson = np.zeros(self.layout.size, bool)
        poisson[self.layout.constrained] = self.layout.has_poisson_constraint
        constrained = np.isin(np.arange(self.layout.size), self.layout.constrained)
        positive = jnp.where(poisson & (parameters > 0), parameters, 1)
        return jnp.where(constrained, jnp.where(poisson, self.factor / positive, 1 / self.variance), 0)

    def _sum(self, normal: Density, poisson: Density, parameters: jax.Array, auxdata: jax.Array) -> jax.Array:
        index, is_poisson = self.layout.constrained, self.layout.has_poisson_constraint
        expected, variance = self.expected(parameters), self.variance[index]
        return jnp.sum(normal(auxdata[~is_poisson], expected[~is_poisson], variance[~is_poisson])) + jnp.sum(
            poisson(auxdata[is_poisson], expected[is_poisson])
        )


def constraints(layout: ModelLayout, templates: ModelTemplates) -> Constraints:
    r"""Return the constraints of a model.

    With yields :math:`\nu` and uncertainties :math:`\delta` of the samples s that carry it, a ``staterror`` has the
    relative variance :math:`\sum_s \delta_s^2 / (\sum_s \nu_s)^2`, and a ``shapesys`` the factor
    :math:`(\nu / \delta)^2`. Components without yields or uncertainty are fixed, with variance or factor 1, as in pyhf.
    """

    def by_component(values: jax.Array, components: np.ndarray) -> jax.Array:
        return jax.ops.segment_sum(values, components, layout.size)

    nominal = templates.nominal.reshape(-1)
    elements, components = layout.bins_of("staterror")
    total = by_component(nominal[elements], components)
    divisor = jnp.where(total > 0, total, 1) ** 2
    relative = jnp.where(total > 0, by_component(templates.staterror_sumw2, components) / divisor, 0)

    elements, components = layout.bins_of("shapesys")
    uncertainties = templates.shapesys_uncertainties
    valid = (nominal[elements] > 0) & (uncertainties > 0)
    counts = by_component(
        jnp.where(valid, (nominal[elements] / jnp.where(valid, uncertainties, 1)) ** 2, 0), components
    )

    exact = (relative == 0) & (counts == 0)
    given = {field: layout.settings(field) for field in ("auxdata", "sigmas", "factors", "fixed")}
    factor = jnp.where(counts > 0, counts, 1)
    observed = jnp.where(np.isnan(given["auxdata"]), factor, given["auxdata"])
    return Constraints(
        layout=layout,
        variance=jnp.where(np.isnan(given["sigmas"]), jnp.where(relative > 0, relative, 1), given["sigmas"] ** 2),
        factor=jnp.where(np.isnan(given["factors"]), factor, given["factors"]),
        observed=observed[layout.constrained],
        fixed=jnp.where(np.isnan(given["fixed"]), exact, given["fixed"] == 1),
    )
