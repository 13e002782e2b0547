"""What a change of `results/` rewrites: the notebooks' stored outputs, and the README's picture and tables."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from rscvae_lab.figures import charts
from rscvae_lab.figures.panels import png
from rscvae_lab.figures.plots import METHOD_NAMES
from rscvae_lab.reproduction import scoreboard
from rscvae_lab.reproduction.reruns import regenerate
from rscvae_lab.storage.files import project_root, write_whole

MARKS = ("<!-- scoreboard -->", "<!-- /scoreboard -->")  # what stands between them is written by `rebuild`
DATASETS = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
COMPARED = ("pca", *scoreboard.RIVALS)


def rebuild() -> list[Path]:
    """Regenerates the notebooks' stored outputs, `results/scoreboard.png` and the README's tables; returns what was
    written.

    Raises:
        InputError: a stored table is missing.
        NotebookFailed: a cell failed.
    """
    picture, readme = project_root() / "results" / "scoreboard.png", project_root() / "README.md"
    write_whole(picture, png(charts.means_chart(boards())))
    before, _, after = readme.read_text().partition(MARKS[0])
    _, _, after = after.partition(MARKS[1])
    write_whole(readme, f"{before}{MARKS[0]}\n{tables()}\n{MARKS[1]}{after}")
    return [*regenerate(), picture, readme]


def boards() -> dict[str, pd.DataFrame]:
    """The scoreboards of the stored tables, by the data sets' names."""
    return {name: scoreboard.scoreboard(scoreboard.both_bases(dataset)) for dataset, name in DATASETS.items()}


def tables() -> str:
    """Both tables of the README from the stored results, as Markdown."""
    lines = _heading(scoreboard.METHODS)
    for name, board in boards().items():
        lines += _lines(name, board.reindex(scoreboard.METHODS))
    lines += ["", *_heading(COMPARED)]
    for dataset, name in DATASETS.items():
        lines += _rival_lines(name, scoreboard.rivals(dataset))
    return "\n".join(lines)


def _lines(name: str, board: pd.DataFrame) -> list[str]:
    """A row each for the paper, ours with half the range over seeds, and the oracle."""
    return [_line(f"{name}: paper, mean of its rows", _numbers(board.recomputed)),
            _line(*_ours(board.ours, board.spread, board.n_seeds)),
            _line("oracle: best epoch on test", _numbers(board.oracle))]


def _rival_lines(name: str, board: pd.DataFrame) -> list[str]:
    """A row each for the compared methods' own papers, the print, ours, and what a class's training costs."""
    means = board["mean"].unstack().reindex(index=COMPARED, columns=["own paper", "printed"])
    ours = board.xs("ours", level=1).reindex(COMPARED)
    own = means["own paper"]
    return [_line(f"{name}: paper, mean of its rows", _numbers(means.printed)),
            *([_line("the method's own paper", _numbers(own))] if own.notna().any() else []),
            _line(*_ours(ours["mean"], ours.spread, ours.n_seeds)),
            _line("seconds a class, two cores busy", _numbers(ours.seconds, "{:.3g}"))]


def _ours(means: pd.Series, spread: pd.Series, n_seeds: pd.Series) -> tuple[str, list[str]]:
    seeds = " or ".join(map(str, sorted({int(n) for n in n_seeds.drop("pca").dropna()})))
    return f"ours, {seeds} seed{'s' * (seeds != '1')}", scoreboard.with_spread(means, spread)


def _heading(methods: Iterable[str]) -> list[str]:
    names = [METHOD_NAMES[method] for method in methods]
    return [_line("mean AUROC over ten classes", names), "|---" * (1 + len(names)) + "|"]


def _line(label: str, cells: Iterable[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"


def _numbers(values: pd.Series, layout: str = "{:.3f}") -> list[str]:
    return [layout.format(value) if value == value else "–" for value in values]
