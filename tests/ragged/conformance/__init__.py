"""One table of expressions, each evaluated by Awkward on its CPU backend and by `hepgrad.ragged`, and compared."""
