"""What is regenerated when `results/` changes: the notebooks' stored outputs, and the README's
figure and tables."""

from collections.abc import Collection, Iterable
from pathlib import Path
from string import Template

import pandas as pd
from matplotlib.figure import Figure

from rscvae_lab import figures
from rscvae_lab.errors import InputError
from rscvae_lab.methods import FLOORS, METHOD_NAMES
from rscvae_lab.reproduction import claims, scoreboard
from rscvae_lab.reproduction.printed import printed_auroc
from rscvae_lab.reproduction.reruns import regenerate
from rscvae_lab.reproduction.statistics import estimate, units
from rscvae_lab.runs import histories
from rscvae_lab.storage.files import is_checkout, project_root, write_whole

MARKS = "<!-- {0} -->", "<!-- /{0} -->"  # `rebuild` writes what is between them
HEADLINES = {  # the README's first table: claims in fewer words
    "Recoding improves the performance of VAE: MNIST": "a second score from recoding: MNIST",
    "Training for consistency adds 2.1 points on Fashion-MNIST":
        "training for consistency (*o*): Fashion-MNIST",
    "Shifted images add .94 points on MNIST: d over o": "shifted images (*d*): MNIST",
    "Real anomalies instead add 1.8 points on MNIST: e (54) over d":
        "1 % real anomalies (*e*), of the class: MNIST",
    "Real anomalies instead add 1.8 points on MNIST: e (594) over d":
        "the same, of the training set: MNIST",
    "S_a falls by .036 on average (means over the normal test images)":
        "the index $S_a$ falls (means over normal images): Fashion-MNIST",
    "S_a falls by .036 on average (means over the whole test set)":
        "the same (means over the whole test set): Fashion-MNIST",
}
DATASETS = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}


def rebuild() -> list[Path]:
    """Regenerates the notebooks' stored outputs, `results/scoreboard.png` and the README's tables;
    returns the files. Raises InputError for a stored table that is missing and in an installed
    package, NotebookFailed where a cell failed."""
    if not is_checkout():
        raise InputError("expected a checkout, whose stored outputs are regenerated, found an "
                         "installed package: --copy DIR copies its notebooks")
    chart, readme = project_root() / "results" / "scoreboard.png", project_root() / "README.md"
    write_whole(chart, figures.png(hero()))
    text = readme.read_text("utf-8")
    for name, content in {"claims": headlines(claims.write()), "scoreboard": tables()}.items():
        first, last = (mark.format(name) for mark in MARKS)
        before, _, rest = text.partition(first)
        text = f"{before}{first}\n{content}\n{last}{rest.partition(last)[2]}"
    write_whole(readme, text)
    written = project_root() / "results" / "REPORT.md"
    write_whole(written, report(claims.stored_claims()))
    return [*regenerate(), chart, readme, written, project_root() / claims.STORED]


def hero() -> Figure:
    """What each method adds to the best floor, at the schedule nearest to the paper's."""
    panels, floors = {}, {}
    for dataset, name in DATASETS.items():
        schedule, table = next(iter(scoreboard.schedules(dataset).items()))
        title = f"{name} ({schedule})"
        floor, panels[title] = scoreboard.against_floor(table)
        auroc = table[table.method == floor].auroc.mean()
        floors[title] = f"best without a network: {METHOD_NAMES[floor]}, {auroc:.3f}"
    return figures.floor_chart(panels, floors)


def headlines(table: pd.DataFrame) -> str:
    """The README's first table from all claims, as Markdown."""
    rows = claims.written(table).loc[list(HEADLINES)].drop(columns=["place", "schedule"])
    return _table("what the paper claims", rows.rename(
        index=HEADLINES, columns={"printed": "paper's text", "tables": "its tables"}))


def report(table: pd.DataFrame) -> str:
    """`results/REPORT.md`, in the form of the ML Reproducibility Challenge, from all claims."""
    nearest = claims.nearest(table)
    several = table[(table.unit == "points") & (table.seeds > 1) & table.here.isna()]
    outside = several[(several.printed < several.low) | (several.printed > several.high)]
    first = {name: next(iter(scoreboard.schedules(name).items())) for name in DATASETS}
    floors = []
    for name, (schedule, rows) in first.items():
        floor, gains = scoreboard.against_floor(rows)
        floors += [f"- {DATASETS[name]} ({schedule}), {METHOD_NAMES[method]} over "
                   f"{METHOD_NAMES[floor]}: {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
                   for method, gain in zip(gains.index, gains.itertuples(index=False))]
    template = Path(__file__).with_name("report.md").read_text("utf-8")
    return Template(template).substitute(
        n_rows=len(table), n_claims=len(nearest), n_twice=len(table) - len(nearest),
        claims=_table("claim", claims.written(table)), tables=tables(),
        rules=claims.__doc__.partition("rules:")[2].strip(),
        verdicts=_counts(nearest), all_verdicts=_counts(table),
        n_clash=nearest.verdict.str.startswith("contradicts").sum(),
        outside=_table("claim", claims.written(outside)[
            ["printed", "tables", claims.OURS, "seeds"]]),
        results=headlines(table), floors="\n".join(floors),
        means="\n".join(line for name, (schedule, rows) in first.items()
                        for line in _means(f"{DATASETS[name]}, {schedule}", rows)),
        lengths="\n".join(_lengths()),
        cost="\n".join(line for name, (schedule, rows) in first.items()
                       for line in _cost(f"{DATASETS[name]}, {schedule}", rows)))


def _counts(table: pd.DataFrame) -> str:
    """What the verdicts say of our results, and how often."""
    words = table.verdict.str.split("; ").str[-1]
    return ", ".join(f"{n} {verdict}" for verdict, n in words.value_counts().items())


def _table(corner: str, rows: pd.DataFrame) -> str:
    lines = [*_heading(corner, rows.columns), *(_row(name, row) for name, row in rows.iterrows())]
    return "\n".join(lines)


def _means(name: str, rows: pd.DataFrame) -> list[str]:
    """A row for each method: the paper's mean, ours by either convention, with intervals."""
    board, lines = scoreboard.scoreboard(rows), []
    for method, printed in zip(board.index, _numbers(board.recomputed)):
        values = ("auroc",) if method in FLOORS else ("auroc_heldout_norm", "auroc_best")
        ours = [estimate(units(rows, method, value)) for value in values]
        honest, *oracle = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high, *_ in ours]
        lines.append(_row(name, [METHOD_NAMES[method], printed, honest, *(oracle or ["–"])]))
    return lines


def _lengths() -> list[str]:
    """A row for each training of 500 epochs: its test AUROC where the rate is lowest, at the last
    epoch and at the best, beside the print."""
    tables = [histories.read(f"results/{name}_history.csv") for name in ("length", "length_j4")]
    table = pd.concat(tables).replace({"method": {"vae": "recode_vae"}})  # whose `auroc` it is
    rows = table.pivot(index=["dataset", "category", "method", "js"], columns="epoch",
                       values="auroc")
    rows = rows.reindex(DATASETS, level="dataset").reindex(scoreboard.METHODS, level="method")
    lines = []
    for (dataset, category, method, js), auroc in rows.iterrows():
        printed = printed_auroc(dataset, category).get(method)
        lines.append(_row(f"{DATASETS[dataset]}, {category}", [
            METHOD_NAMES[method] + (", J/4" if js == "jeffreys" else ""),
            "(or here)" if printed is None else f"{printed:.3f}",  # of e_all, as in `tables`
            *_numbers(auroc[[*range(50, 500, 100), 500]]),
            f"{auroc.max():.3f} ({auroc.idxmax()})"]))
    return lines


def _cost(name: str, rows: pd.DataFrame) -> list[str]:
    return [_row(name, [METHOD_NAMES[method], f"{own.seed.nunique()}", f"{len(own)}",
                        own.widths.iloc[0], f"{own.epochs.iloc[0]:.0f}",
                        f"{own.device.iloc[0]}, {own.precision.iloc[0]}",
                        f"{own.seconds.median():.0f}"])
            for (method, _), own in rows[~rows.method.isin(FLOORS)].groupby(
                ["method", "device"], sort=False)]


def tables() -> str:
    """Both tables of the README from the stored results, as Markdown."""
    lines = _methods(scoreboard.METHODS)
    for dataset, name in DATASETS.items():
        schedule, table = next(iter(scoreboard.schedules(dataset).items()))
        lines += _rows(f"{name} ({schedule})", scoreboard.scoreboard(table))
    boards = {name: scoreboard.compared(dataset) for dataset, name in DATASETS.items()}
    trained = {method for board in boards.values() for method, _ in board.index}
    columns = [name for name in (*FLOORS, *scoreboard.RIVALS) if name in trained]
    lines += ["", *_methods(columns)]
    for name, board in boards.items():
        lines += compared_rows(name, board, columns)
    return "\n".join(lines)


def _rows(name: str, board: pd.DataFrame) -> list[str]:
    """A row each for the paper, for the honest figure with half the range over seeds, and for the
    paper's conventions."""
    board = board.reindex(scoreboard.METHODS)
    paper = pd.Series(_numbers(board.recomputed), board.index)
    paper["e_all"] = "(or here)"  # the text leaves it open
    label, honest = _ours(board["held-out means"].fillna(board.ours), board["held-out spread"],
                          board.n_seeds)
    return [_row(f"{name}: paper, mean of its rows", paper),
            _row(f"{label}, honest: held-out normalisers, result epoch", honest),
            _row("by the paper's conventions: test-set means, best of five evaluated epochs on "
                 "test (*oracle*; the paper: of up to 500)", _numbers(board.oracle))]


def compared_rows(name: str, board: pd.DataFrame, columns: list[str]) -> list[str]:
    """The compared methods `columns` on one data set, as Markdown: a row each for the paper, their
    own papers where these have any figure, ours, and two costs of training one class. `name` is
    the data set's, `board` as `scoreboard.compared`."""
    means = board["mean"].unstack().reindex(index=columns, columns=["own paper", "printed"])
    ours, own = board.xs("ours", level=1).reindex(columns), means["own paper"]
    paper = pd.Series(_numbers(means.printed), columns)
    for method in scoreboard.READINGS.keys() & means.printed.dropna().index:
        paper[method] = "(or here)"
    return [_row(f"{name}: paper, mean of its rows", paper),
            *([_row("the method's own paper", _numbers(own))] if own.notna().any() else []),
            _row(*_ours(ours["mean"], ours.spread, ours.n_seeds)),
            _row("optimizer steps per class", _numbers(ours.steps, "{:,.0f}")),
            _row("seconds per class, two cores busy", _numbers(ours.seconds, "{:.3g}"))]


def _ours(means: pd.Series, spread: pd.Series, n_seeds: pd.Series) -> tuple[str, list[str]]:
    trained = n_seeds.drop(list(FLOORS), errors="ignore").dropna()
    seeds = " or ".join(map(str, sorted(set(trained.astype(int)))))
    return f"ours, {seeds} seed{'s' * (seeds != '1')}", scoreboard.with_spread(means, spread)


def _methods(methods: Iterable[str]) -> list[str]:
    return _heading("mean AUROC over ten classes", [METHOD_NAMES[method] for method in methods])


def _heading(corner: str, columns: Collection[str]) -> list[str]:
    return [_row(corner, columns), "|---" * (1 + len(columns)) + "|"]


def _row(label: str, cells: Iterable[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"


def _numbers(values: pd.Series, layout: str = "{:.3f}") -> list[str]:
    return [layout.format(value) if value == value else "–" for value in values]
