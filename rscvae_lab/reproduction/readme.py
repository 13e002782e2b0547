"""What is regenerated when `results/` changes: the notebooks' stored outputs, and the README's
figure and tables."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from rscvae_lab import figures
from rscvae_lab.methods import METHOD_NAMES
from rscvae_lab.reproduction import scoreboard
from rscvae_lab.reproduction.reruns import regenerate
from rscvae_lab.storage.files import project_root, write_whole

MARKS = ("<!-- scoreboard -->", "<!-- /scoreboard -->")  # `rebuild` writes what is between them
DATASETS = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
COMPARED = ("pca", *scoreboard.COMPARED)


def rebuild() -> list[Path]:
    """Regenerates the notebooks' stored outputs, `results/scoreboard.png` and the README's tables;
    returns the files. Raises InputError for a stored table that is missing, NotebookFailed where a
    cell failed."""
    chart, readme = project_root() / "results" / "scoreboard.png", project_root() / "README.md"
    write_whole(chart, figures.png(figures.means_chart(boards())))
    before, _, rest = readme.read_text("utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    write_whole(readme, f"{before}{MARKS[0]}\n{tables()}\n{MARKS[1]}{after}")
    return [*regenerate(), chart, readme]


def boards() -> dict[str, pd.DataFrame]:
    """The scoreboards of the stored tables, by the data sets' names."""
    return {name: scoreboard.scoreboard(scoreboard.both_bases(dataset))
            for dataset, name in DATASETS.items()}


def tables() -> str:
    """Both tables of the README from the stored results, as Markdown."""
    lines = _heading(scoreboard.METHODS)
    for name, board in boards().items():
        lines += _rows(name, board.reindex(scoreboard.METHODS))
    lines += ["", *_heading(COMPARED)]
    for dataset, name in DATASETS.items():
        lines += compared_rows(name, scoreboard.compared(dataset))
    return "\n".join(lines)


def _rows(name: str, board: pd.DataFrame) -> list[str]:
    """A row each for the paper, ours with half the range over seeds, and the oracle."""
    return [_row(f"{name}: paper, mean of its rows", _numbers(board.recomputed)),
            _row(*_ours(board.ours, board.spread, board.n_seeds)),
            _row("oracle: best epoch on test", _numbers(board.oracle))]


def compared_rows(name: str, board: pd.DataFrame) -> list[str]:
    """The compared methods on one data set, as Markdown: a row each for the paper, their own
    papers where these have any figure, ours, and the cost of training one class. `name` is the
    data set's, `board` as `scoreboard.compared`."""
    means = board["mean"].unstack().reindex(index=COMPARED, columns=["own paper", "printed"])
    ours, own = board.xs("ours", level=1).reindex(COMPARED), means["own paper"]
    return [_row(f"{name}: paper, mean of its rows", _numbers(means.printed)),
            *([_row("the method's own paper", _numbers(own))] if own.notna().any() else []),
            _row(*_ours(ours["mean"], ours.spread, ours.n_seeds)),
            _row("seconds a class, two cores busy", _numbers(ours.seconds, "{:.3g}"))]


def _ours(means: pd.Series, spread: pd.Series, n_seeds: pd.Series) -> tuple[str, list[str]]:
    seeds = " or ".join(map(str, sorted({int(n) for n in n_seeds.drop("pca").dropna()})))
    return f"ours, {seeds} seed{'s' * (seeds != '1')}", scoreboard.with_spread(means, spread)


def _heading(methods: Iterable[str]) -> list[str]:
    names = [METHOD_NAMES[method] for method in methods]
    return [_row("mean AUROC over ten classes", names), "|---" * (1 + len(names)) + "|"]


def _row(label: str, cells: Iterable[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"


def _numbers(values: pd.Series, layout: str = "{:.3f}") -> list[str]:
    return [layout.format(value) if value == value else "–" for value in values]
