"""Diagrams: which losses a mode asks of an image, and the paper's Fig. 4 in our own drawing."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch
from scipy.ndimage import gaussian_filter

from rscvae_lab.errors import InputError
from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.style import FONT, NORMAL_COLOUR, NOVEL_COLOUR, WIDEST, axes, canvas
from rscvae_lab.methods import METHODS, MODES

GREY, INK = "#a0aec0", "#1a202c"
NODES = {"x": (0.9, "$x$"), "code": (3.0, r"$\mu, \Sigma$"), "z": (5.0, "$z$"),
         "x_hat": (7.0, r"$\hat x$"), "recode": (9.1, r"$\hat\mu, \hat\Sigma$")}  # inches
STEPS = (("x", "code", "encode"), ("code", "z", "sample"), ("z", "x_hat", "decode"),
         ("x_hat", "recode", "encode again"))
TERMS = {"recon": "$l_{recon}$ (Eq. 4)", "enc1": "$l_{enc1}$ (Eq. 5)",
         "enc2": "$l_{enc2}$ (Eq. 7)", "mut": "$l_{mut}$ (Eq. 8)"}
INPUTS = {"": "image", "shifted": "shifted\nimage $ds(x)$", "real": "a real\nanomaly"}


def lit_terms(mode: str, anomaly: bool = False) -> dict[str, str]:
    """The losses that a mode asks of an image, with what each is multiplied by: "", "λ", "β" or
    "βλ" (Eqs. 6, 10, 12, 14). Empty for an anomaly in a mode that is never shown one.

    Raises InputError for another mode than `methods.MODES`.
    """
    if mode not in MODES:
        raise InputError(f"expected a mode of {', '.join(MODES)}, found {mode!r}")
    row, beta = METHODS[mode], "β" * anomaly
    if anomaly and not row.anomalies:
        return {}
    weights = {"enc1": beta} if anomaly else {"recon": "", "enc1": ""}
    return weights | ({"enc2": beta + "λ", "mut": beta + "λ"} if row.recodes else {})


def data_flow(mode: str, anomaly: bool = False) -> Figure:
    """The way x -> (mu, Sigma) -> z -> x_hat -> (mu_hat, Sigma_hat) with the four losses: those
    that the mode asks of a normal image, or of a (pseudo-)anomaly, lit, the others grey."""
    lit, row = lit_terms(mode, anomaly), METHODS[mode]
    figure = canvas(WIDEST, 4.3)
    axis = _paper(figure, 4.3)
    trains = bool(lit)
    recoded = trains and row.recodes
    for name, (x, symbol) in NODES.items():
        known = recoded if name == "recode" else trains
        _box(axis, x, 2.2, symbol, INK if known else GREY)
    for start, end, name in STEPS:
        colour = INK if (recoded if end == "recode" else trains) else GREY
        _arrow(axis, [(NODES[start][0] + 0.55, 2.2), (NODES[end][0] - 0.55, 2.2)], colour, 1.2)
        axis.text((NODES[start][0] + NODES[end][0]) / 2, 2.3, name, ha="center", va="bottom",
                  fontsize=FONT, color=colour)
    kind = INPUTS[row.anomalies if anomaly else ""] if trains else "not shown"
    axis.text(0.9, 1.75, kind, ha="center", va="top", fontsize=FONT, color=INK if trains else GREY)
    _box(axis, 6.05, 0.35, "prior $N(0, I)$", INK if trains else GREY, 0.75, 0.25)
    code, recode = NODES["code"][0], NODES["recode"][0]
    ways = {"recon": [(0.9, 2.55), (0.9, 3.3), (7.0, 3.3), (7.0, 2.55)],
            "mut": [(code + 0.2, 1.85), (code + 0.2, 1.2), (recode - 0.2, 1.2),
                    (recode - 0.2, 1.85)],
            "enc1": [(code - 0.2, 1.85), (code - 0.2, 0.35), (5.3, 0.35)],
            "enc2": [(recode + 0.2, 1.85), (recode + 0.2, 0.35), (6.8, 0.35)]}
    places = {"recon": (3.95, 3.38), "mut": (6.05, 1.28), "enc1": (4.05, 0.43),
              "enc2": (8.05, 0.43)}
    for term, way in ways.items():
        colour = row.colour if term in lit else GREY
        _arrow(axis, way, colour, 2.5 if term in lit else 1.2, both=term in ("recon", "mut"))
        weight = lit[term] + " " * bool(lit[term]) if term in lit else ""
        axis.text(*places[term], weight + TERMS[term] + ("" if term in lit else ": left out"),
                  ha="center", va="bottom", fontsize=FONT, color=colour,
                  fontweight="bold" if term in lit else "normal")
    image = "a (pseudo-)anomaly" if anomaly else "a normal image"
    axis.text(0.1, 4.2, f"{row.label}, {image}: {_sum(lit)}", va="top", fontsize=FONT,
              fontweight="bold")
    return figure


def _sum(lit: dict[str, str]) -> str:
    """What the mode asks, as a formula."""
    if not lit:
        return "this mode is never shown one"
    consist = r" + \lambda\,(l_{enc2} + l_{mut})" if "mut" in lit else ""
    if "recon" in lit:
        return f"$l_{{recon}} + l_{{enc1}}{consist}$"
    return rf"$\beta\,(l_{{enc1}}{consist})$"


def semantic_regions(normal: np.ndarray) -> Figure:
    """Fig. 4, our drawing: an image that was turned, the three regions that its code may fall
    into, and what each paper's case makes of it.

    Args:
        normal: a normal image (S, S), uint8 or in [0, 1]. All others are made from it, by this
            drawing and not by a network.
    """
    height = 5.3
    figure = canvas(WIDEST, height)
    axis = _paper(figure, height)
    upright = np.asarray(normal, dtype=float) / (255 if normal.dtype == np.uint8 else 1)
    turned, noise = np.rot90(upright), np.random.default_rng(0).random(upright.shape)
    fates = (  # the code's place, the reconstruction, and what it is called
        ((4.3, 4.35), upright, "case 1", "its code is normal, so it is\ndrawn as a normal image",
         INK),
        ((3.8, 2.95), turned, "case 2", "drawn as it is, so the error\nis small: missed", INK),
        ((4.45, 2.4), gaussian_filter(0.45 * turned + 0.3 * upright + 0.25 * noise, 1.2),
         "case 3", "its code is complete, but the\ndecoder knows normal ones only", INK),
        ((4.1, 0.85), gaussian_filter(noise, 0.6), "semantic deviation",
         "modes d and e: the code says\nneither, and decodes to chaos", METHODS["e"].colour))
    _latent_space(axis)
    for i, (place, image, name, text, colour) in enumerate(fates):
        y = 4.4 - 1.22 * i
        _arrow(axis, [(1.45, 2.65), (place[0] - 0.06, place[1])], colour, 1)
        _arrow(axis, [(place[0] + 0.06, place[1]), (6.1, y)], colour, 1)
        axis.plot(*place, "o", color=colour, markersize=6)
        show_image(axes(figure, 0.615, (y - 0.52) / height, 0.104, 1.04 / height), image)
        axis.text(7.35, y + 0.24, name, va="center", fontsize=FONT, fontweight="bold",
                  color=colour)
        axis.text(7.35, y - 0.14, text, va="center", fontsize=FONT)
    show_image(axes(figure, 0.02, (2.65 - 0.6) / height, 0.12, 1.2 / height), turned)
    axis.text(0.8, 3.33, "a turned image", ha="center", va="bottom", fontsize=FONT)
    axis.text(6.67, 5.05, "its reconstruction", ha="center", va="bottom", fontsize=FONT)
    axis.annotate("", (4.85, 1.0), (4.85, 1.85), arrowprops={
        "arrowstyle": "-|>", "color": METHODS["e"].colour, "linestyle": "--", "lw": 1.5})
    axis.text(4.93, 1.42, "$l_{enc1}$ pulls", va="center", fontsize=FONT,
              color=METHODS["e"].colour)
    return figure


def _latent_space(axis: Axes) -> None:
    """The three regions: what is neither normal nor anomalous is unknown."""
    axis.add_patch(FancyBboxPatch((2.3, 0.25), 3.4, 4.75, "round,pad=0,rounding_size=0.4",
                                  fc="#e2e8f0", ec="none"))
    for middle, size, fill, edge, name, label in (
            ((3.85, 4.25), (2.6, 1.05), "#bee3f8", NORMAL_COLOUR, "normal", (3.35, 4.45)),
            ((4.0, 2.65), (2.9, 1.5), "#feebc8", NOVEL_COLOUR, "anomalous", (3.5, 2.22))):
        axis.add_patch(Ellipse(middle, *size, fc=fill, ec=edge, lw=1))
        axis.text(*label, name, ha="center", va="center", fontsize=FONT, color=edge)
    axis.text(2.5, 0.4, "unknown", va="bottom", fontsize=FONT, color="#4a5568")
    axis.text(4.0, 5.05, "latent space: three regions", ha="center", va="bottom", fontsize=FONT)


def _paper(figure: Figure, height: float) -> Axes:
    """An invisible axis over the whole figure, in inches."""
    axis = axes(figure, 0, 0, 1, 1)
    axis.set(xlim=(0, WIDEST), ylim=(0, height))
    axis.set_axis_off()
    return axis


def _box(axis: Axes, x: float, y: float, text: str, colour: str, half: float = 0.5,
         high: float = 0.33) -> None:
    axis.add_patch(FancyBboxPatch((x - half, y - high), 2 * half, 2 * high,
                                  "round,pad=0,rounding_size=0.1", fc="white", ec=colour, lw=1.2))
    axis.text(x, y, text, ha="center", va="center", fontsize=FONT if half > 0.5 else 15,
              color=colour)


def _arrow(axis: Axes, way: list[tuple[float, float]], colour: str, width: float,
           both: bool = False) -> None:
    """A line through the points of `way` that ends in a head, or begins with one too."""
    axis.plot(*zip(*way), color=colour, linewidth=width, solid_joinstyle="miter",
              solid_capstyle="butt")
    ends = [way[-2:], way[1::-1]] if both else [way[-2:]]
    for start, end in ends:
        axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour,
                                                  "lw": width, "shrinkA": 0, "shrinkB": 0})
