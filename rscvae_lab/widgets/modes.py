"""The mode switch: which losses each mode asks of which image."""

from matplotlib.figure import Figure

from rscvae_lab import figures
from rscvae_lab.methods import METHOD_NAMES, MODES
from rscvae_lab.widgets.base import Panel, dropdown

IMAGES = {"a normal image": False, "a (pseudo-)anomaly": True}


def mode_switch() -> Panel:
    """The data flow, with the losses of a mode lit."""
    def draw(mode: str, image: str) -> tuple[Figure, str]:
        lit = figures.lit_terms(mode, IMAGES[image])
        names = ", ".join(f"l_{term}" for term in lit) or "none"
        return figures.data_flow(mode, IMAGES[image]), f"losses asked: {names}"

    modes = [(METHOD_NAMES[mode], mode) for mode in MODES]
    return Panel(draw, {"mode": dropdown("mode", modes, "o"),
                        "image": dropdown("shown", list(IMAGES))})
