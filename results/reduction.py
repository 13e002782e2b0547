"""Mode o with another reduction of l_recon (Eq. 4), which the paper leaves open: the sum over
pixels, ours, times 1/1024 (their mean), 1/16, 1/4, 1, 4 and 16. Four classes, the lesson's ten
epochs, as in the search of notebook 08; and 1/4 and 4 on the two digits for the first 50 epochs of
the paper's own schedule. results/sweeps.sh calls it.

    python results/reduction.py results/reduction.csv
"""

import sys
from functools import partial

from rscvae_lab import losses
from rscvae_lab.methods import METHODS, Method
from rscvae_lab.sweeps import plan, sweep

FACTORS = {"mean": 1 / 1024, "sixteenth": 1 / 16, "quarter": 1 / 4, "sum": 1, "four": 4,
           "sixteen": 16}
CLASSES = {"mnist": "2,8", "fashion_mnist": "pullover,sandal"}


def scaled(factor, x, coding, terms, y, weights):
    """Eq. 10 with l_recon times a factor."""
    return losses.objective(terms._replace(recon=factor * terms.recon), y, weights)


def main(out: str) -> int:
    names = [f"o_{name}" for name in FACTORS]
    for name, factor in zip(names, FACTORS.values()):
        METHODS[name] = Method(f"RSC-VAE_o, l_recon x {factor:g}", "#38a169",
                               objective=partial(scaled, factor))
    units = [unit for dataset, classes in CLASSES.items()
             for unit in plan(dataset, classes, ",".join(names), "0", {"device": "cpu"})]
    literal = {"device": "cpu", "scale": "paper", "epochs": 50}
    units += plan("mnist", CLASSES["mnist"], "o_quarter,o_four", "0", literal)
    return len(sweep(units, out, jobs=1))  # in this process, which alone knows these methods


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected a table to write, such as results/reduction.csv, found "
                 f"{len(sys.argv) - 1} arguments")
    sys.exit(main(sys.argv[1]))
