"""Intervals against pyhf's profile likelihood."""

from __future__ import annotations

import jax
import numpy as np
import pyhf
import pytest

from hepgrad.analysis.statistics.histfactory import from_workspace
from hepgrad.analysis.statistics.inference import interval

pytestmark = [pytest.mark.usefixtures("x64", "quick_compilation"), pytest.mark.thorough]


@pytest.mark.parametrize("parameter", ["mu", "mc[1]"])
def test_pyhf_profile_at_both_ends(parameter, search, in_pyhf):
    result = interval(*from_workspace(search(0)), parameter)
    theirs, data = in_pyhf(search(0))
    index = theirs.config.par_names.index(parameter)
    best, minimum = pyhf.infer.mle.fit(data, theirs, return_fitted_val=True)
    np.testing.assert_allclose(result.estimate, best[index], atol=1e-5)
    assert result.lower < result.estimate < result.upper
    for end in (result.lower, result.upper):
        start, fixed = theirs.config.suggested_init(), theirs.config.suggested_fixed()
        start[index], fixed[index] = float(end), True
        height = pyhf.infer.mle.fit(data, theirs, start, fixed_params=fixed, return_fitted_val=True)[1]
        np.testing.assert_allclose(height - minimum, 1, rtol=1e-5)


def test_stops_at_the_bound(tutorial):
    model, data = from_workspace(tutorial)
    result = interval(model, data, level=0.95)
    assert result.lower == 0
    assert not result.lower_reached
    assert result.upper_reached
    with pytest.raises(ValueError, match=r"no component 'mc'.*uncorr_bkguncrt\[0\]"):
        interval(model, data, "mc")


def test_derivative_of_an_end(tutorial):
    model, data = from_workspace(tutorial)

    def upper(data):
        return interval(model, data).upper

    for i, slope in enumerate(jax.grad(upper)(data)):
        numeric = (upper(data.at[i].add(1e-3)) - upper(data.at[i].add(-1e-3))) / 2e-3
        np.testing.assert_allclose(slope, numeric, rtol=1e-5)
