"""Optimise the Z' search from Python: the events, the analysis and the result are ordinary objects.

Run it as ``python examples/zprime.py``. The same with a report: ``hepgrad run zprime``.
"""

from __future__ import annotations

import jax

from hepgrad.analysis import Hard, Soft, optimize
from hepgrad.workflows import Fileset, load
from hepgrad.workflows.analyses.zprime import ZPRIME


def main() -> None:
    # statistics in double precision; the events stay float32
    jax.config.update("jax_enable_x64", True)

    analysis, cuts = ZPRIME.analysis, ZPRIME.parameters
    data = load(Fileset.load(ZPRIME.data), ZPRIME.processes, analysis.reads, luminosity=ZPRIME.luminosity)

    # one number from events and cuts, in either reading ...
    print(f"start, hard cuts: Z = {analysis.evaluate(data.train, cuts, Hard()):.3f}")
    print(f"start, soft cuts: Z = {analysis.evaluate(data.train, cuts, Soft(1.0)):.3f}")

    # ... and its derivative with respect to every cut
    slopes = jax.jit(jax.grad(lambda cuts: analysis.evaluate(data.train, cuts, Soft(1.0))))(cuts)
    for name in cuts.numbers():  # all but the weights of the network
        print(f"  dZ/d{name:10s} = {float(slopes[name]):+.5f} per {cuts.specs[name].unit or 'unit'}")

    result = optimize(
        analysis,
        data,
        parameters=cuts,
        optimizer=ZPRIME.optimizer,
        steps=ZPRIME.steps,
        anneal=ZPRIME.anneal,
    )
    print(result)


if __name__ == "__main__":
    main()
