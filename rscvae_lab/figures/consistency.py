"""Figures of S_a (Eq. 17, Table 4): both components, the images at the ends, class by class."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rscvae_lab.figures.scoreboard import BETTER_COLOUR, WORSE_COLOUR
from rscvae_lab.figures.style import (
    FONT,
    GRID,
    NORMAL_COLOUR,
    legend_below,
    row_and_strip,
    two_a_row,
)
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES

MOST = 3  # a_i, above which ratios are counted together


def consistency(panels: Mapping[str, pd.DataFrame], s_a: Mapping[str, float], title: str = "",
                numbered: Mapping[str, Sequence[int]] | None = None) -> Figure:
    """Eq. 17 for each method: both components of every test normal, in the columns `l_recon` and
    `l_mut`, and the ratios a_i, whose standard deviation is S_a.

    `numbered` has rows of a method's frame to be marked 1, 2, ....
    """
    figure, row, last = row_and_strip(len(panels), 6.6, 2)
    relative = {method: frame[["l_recon", "l_mut"]] / frame[["l_recon", "l_mut"]].mean()
                for method, frame in panels.items()}
    top = 1.05 * max(frame.to_numpy().max() for frame in relative.values())
    for axis, (method, frame) in zip(row, relative.items()):
        axis.scatter(frame.l_recon, frame.l_mut, s=14, alpha=0.6, color=NORMAL_COLOUR,
                     linewidths=0)
        axis.axline((0, 0), slope=1, color="black", linewidth=0.8)
        axis.text(0.97 * top, 0.9 * top, "$a_i = 1$", ha="right", va="top", rotation=45,
                  rotation_mode="anchor")
        marked = (numbered or {}).get(method, ())
        for j, i in enumerate(marked):  # the first half left of its points, the others right
            right, line = divmod(j, max(1, len(marked) // 2))
            axis.annotate(str(j + 1), frame.iloc[i], (22 if right else -22, 14 * line - 10),
                          textcoords="offset points", ha="center", va="center",
                          fontweight="bold", arrowprops={"arrowstyle": "-", "linewidth": 0.6})
        axis.set(xlabel="$l_{recon}$ / mean (no unit)", ylabel="$l_{mut}$ / mean (no unit)",
                 aspect="equal", xlim=(0, top), ylim=(0, top))
        axis.set_title(f"{METHOD_NAMES[method]}: $S_a$ = {s_a[method]:.3f}",
                       color=METHOD_COLOURS[method])
        ratios = (frame.l_mut / frame.l_recon).clip(upper=MOST)
        last.hist(ratios, np.linspace(0, MOST, 25), histtype="step", linewidth=1.8,
                  color=METHOD_COLOURS[method])
    for y, method in zip((0.95, 0.87), relative):
        last.text(0.97, y, METHOD_NAMES[method], color=METHOD_COLOURS[method], ha="right",
                  va="top", transform=last.transAxes, fontweight="bold")
    last.set(xlabel=f"$a_i$ (no unit; last bin: {MOST} and above)", ylabel="normal test images")
    last.set_title("the ratios of both")
    figure.suptitle(title, fontsize=FONT)
    return figure


def change_by_class(panels: Mapping[str, pd.DataFrame], before: str, after: str,
                    rising: Collection[str] = ()) -> Figure:
    """Table 4: one quantity a panel, one class a row, from method `before` (open mark) to `after`
    (filled): the mean over seeds, and a thin line a seed.

    Each frame has the columns `category`, `seed` and the two methods. Lines are teal where the
    quantity improves, which is a rise in the panels listed in `rising` and a fall in the others,
    and pink elsewhere. Titles count the improvements of the mean.
    """
    classes = list(dict.fromkeys(next(iter(panels.values())).category))[::-1]
    figure, row = two_a_row(len(panels), 0.32 * len(classes) + 0.8)
    for axis, (name, frame) in zip(row, panels.items()):
        verb, sign = ("rises", 1) if name in rising else ("falls", -1)
        means = frame.groupby("category")[[before, after]].mean().reindex(classes)
        for seeds, values in [(1, means.reset_index()), *_by_seed(frame)]:
            place = np.array([classes.index(each) for each in values.category])
            better = sign * (values[after] - values[before]) > 0
            colours = np.where(better, BETTER_COLOUR, WORSE_COLOUR)
            shift, width = (0, 3.5) if seeds == 1 else (-seeds, 1.2)
            axis.hlines(place + shift, values[before], values[after], colors=colours,
                        linewidth=width, alpha=0.6 if seeds == 1 else 1)
            if seeds == 1:
                axis.plot(values[before], place, "o", color="black", fillstyle="none",
                          markersize=6)
                axis.scatter(values[after], place, s=44, c=colours, zorder=3)
                count = better.sum()
        axis.set(xlabel=name.split(":")[-1].strip(), ylim=(-0.8, len(classes) - 0.4),
                 yticks=range(len(classes)), yticklabels=classes, ylabel="normal class")
        axis.set_title(f"{name.split(':')[0]}: {verb} in {count} of {len(classes)}")
        axis.grid(**GRID)
    row[0].plot([], [], "o", color="black", fillstyle="none", label=METHOD_NAMES[before])
    for colour, verdict in ((BETTER_COLOUR, "better"), (WORSE_COLOUR, "worse")):
        row[0].plot([], [], "o", color=colour, label=f"{METHOD_NAMES[after]}, {verdict}")
    row[0].plot([], [], color="#4a5568", linewidth=1.2, label="thin: one seed")
    legend_below(figure, row[0], 4)
    return figure


def _by_seed(frame: pd.DataFrame) -> list[tuple[float, pd.DataFrame]]:
    """How far below its class each seed's line stands, and its rows; none of a single training."""
    seeds = sorted(set(frame.seed))
    if len(seeds) < 2:
        return []
    return [(0.17 + 0.13 * i, frame[frame.seed == seed]) for i, seed in enumerate(seeds)]
