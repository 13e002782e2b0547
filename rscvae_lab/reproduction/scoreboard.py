"""The stored results of sweeps beside what the paper prints. Nothing is trained here: everything follows from CSVs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from scipy.stats import binomtest

from rscvae_lab.config import CATEGORIES, category_slug
from rscvae_lab.errors import InputError
from rscvae_lab.reproduction.printed import own_papers, printed_aurocs, printed_average
from rscvae_lab.runs.run import ROW_NAMES
from rscvae_lab.runs.table import with_added
from rscvae_lab.storage.files import project_root

RIVALS = ("ae", "ganomaly", "ocgan", "gradcon", "adgan", "dsebm")
METHODS = ("pca", "vae", "recode_vae", "o", "d", "e", "e_all")  # e_all: e with 1 % of the whole training set
SETTINGS = ("scale", "epochs", "learning_rate", "batch_size", "network", "image_size", "widths", "latent", "augment",
            "js", "lambda_consist", "beta", "p", "anomaly_base", "anomaly_draw", "per_defect", "consist_on_anomaly",
            "recode_statistics", "recode_gradient", "shifts")
VALUES = {"auroc": "ours", "auroc_heldout_norm": "held-out means", "auroc_best": "oracle"}


def stored(name: str, folder: str | Path = "results") -> pd.DataFrame:
    """The table of a sweep, `<folder>/<name>.csv`, a relative folder being the checkout's.

    Raises:
        InputError: there is no such table, or it is not one of `rscvae sweep`.
    """
    path = project_root() / Path(folder).expanduser() / f"{name}.csv"
    if not path.is_file():
        raise InputError(f"expected a table of rscvae sweep in {path}, found no such file")
    table = with_added(pd.read_csv(path, dtype={"category": str, "commit": str}))
    missing = set(ROW_NAMES) - set(table.columns)
    if missing:
        raise InputError(f"expected a table of rscvae sweep in {path}, found no column {min(missing)}")
    return table


def both_bases(dataset: str, folder: str | Path = "results") -> pd.DataFrame:
    """A data set's main table, and mode e with 1 % of the whole training set as method `e_all`: which of the two bases
    the paper's 1 % has is open. Raises InputError as `stored`."""
    anomalies = stored("anomalies", folder)
    larger = anomalies[(anomalies.dataset == dataset) & (anomalies.anomaly_base == "training_set")]
    return pd.concat([stored(dataset, folder), larger.assign(method="e_all")], ignore_index=True)


def _printed(dataset: str) -> pd.DataFrame:
    """The printed table, where the one column of mode e is held against both readings of it."""
    table = printed_aurocs(dataset)
    return table.assign(e_all=table["e"])


def _refuse_mixed(table: pd.DataFrame) -> None:
    groups = table.groupby(["dataset", "method"])
    for (dataset, method), settings in groups[list(SETTINGS)].nunique(dropna=False).iterrows():
        mixed = settings.index[settings > 1]
        if len(mixed):
            raise InputError(f"expected one setting of {method} on {dataset}, found several values of {mixed[0]}")


def complete_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of those (data set, method, seed) that have every class: a mean over fewer is one over other classes.

    A method without random draws, such as PCA, counts as its only seed.

    Raises:
        InputError: no seed is complete, or a method was trained with several settings, which no mean should mix.
    """
    _refuse_mixed(table)
    found = table.groupby(["dataset", "method", "seed"]).category.transform("nunique")
    whole = table[found == table.dataset.map({name: len(classes) for name, classes in CATEGORIES.items()})]
    if whole.empty:
        raise InputError(f"expected a seed with every class, found {found.max() if len(found) else 0} classes at most")
    return whole


def over_seeds(table: pd.DataFrame, value: str = "auroc") -> pd.DataFrame:
    """Means over the classes in each seed, then over seeds: `mean`, `spread` and `n_seeds` of each method.

    The spread is half the range over seeds; NaN where there is one seed.
    """
    each = table.groupby(["method", "seed"], sort=False)[value].mean().groupby("method", sort=False)
    half = (each.max() - each.min()) / 2
    return pd.DataFrame({"mean": each.mean(), "spread": half.where(each.count() > 1), "n_seeds": each.size()})


def by_class(table: pd.DataFrame, value: str = "auroc") -> pd.DataFrame:
    """Mean over seeds of every class (rows, in the data set's order) and method (columns), for one data set."""
    dataset = table.dataset.iloc[0]
    order = [category_slug(dataset, name) for name in CATEGORIES[dataset]]
    means = table.pivot_table(index="category", columns="method", values=value)
    return means.reindex([name for name in order if name in means.index])


class Wins(NamedTuple):
    """A comparison of two methods over classes."""

    won: int
    tied: int
    lost: int
    mean: float  # of the differences
    chance: float  # of a count at least so lopsided by tossing a coin for each class that is not tied


def wins(values: pd.DataFrame, better: str, worse: str) -> Wins:
    """Counts the classes in which one method beats another, with a two-sided sign test; `values` as `by_class`.

    Differences below 1e-6 are ties, which the test leaves out.
    """
    difference = values[better] - values[worse]
    won, lost = int((difference > 1e-6).sum()), int((difference < -1e-6).sum())
    chance = binomtest(won, won + lost).pvalue if won + lost else 1.0
    return Wins(won, len(difference) - won - lost, lost, float(difference.mean()), float(chance))


def scoreboard(table: pd.DataFrame) -> pd.DataFrame:
    """One row a method for one data set: what the paper prints, what its rows give, and ours.

    Columns: `printed`, the average as printed; `recomputed`, the mean of the printed rows; `ours` and `spread`, the
    mean over classes at the last epoch and half its range over seeds; `held-out means`, the same score normalised
    without the test set; `oracle`, the best evaluated epoch of each class, chosen on the test set as the paper
    chooses; `ours - recomputed`; `n_seeds`.
    """
    dataset, table = table.dataset.iloc[0], complete_seeds(table)
    found = {name: over_seeds(table, value) for value, name in VALUES.items()}
    ours = found["ours"].reindex([method for method in METHODS if method in found["ours"].index])
    averages = printed_average(dataset)
    averages |= {"e_all": averages["e"]}
    board = pd.DataFrame({"printed": pd.Series(averages), "recomputed": _printed(dataset).mean()})
    board = board.reindex(ours.index).assign(**{name: frame["mean"] for name, frame in found.items()})
    board.insert(3, "spread", ours.spread)
    return board.assign(**{"ours - recomputed": board.ours - board.recomputed, "n_seeds": ours.n_seeds})


def rivals(dataset: str, folder: str | Path = "results") -> pd.DataFrame:
    """The compared methods that we trained, and the floor. A row a method and source, where there is one: the method's
    `own paper` (by its own protocol), `printed` in Tables 1 and 2, and `ours`.

    Columns: the AUROC of each class, ours a mean over seeds; `mean` over the classes; and of ours `spread` (half the
    range of that mean over seeds), `n_seeds`, and the cost of a class's training, the medians of `seconds` and
    `images_per_second`.

    Raises:
        InputError: as `stored` and `complete_seeds`.
    """
    others, floor = stored("rivals", folder), stored(dataset, folder)
    both = pd.concat([floor[floor.method == "pca"], others[others.dataset == dataset]], ignore_index=True)
    table = complete_seeds(both)
    printed, ours = printed_aurocs(dataset), by_class(table)
    cost = table.groupby("method")[["seconds", "images_per_second"]].median()
    sources = {"own paper": own_papers(dataset).rename(columns={"average": "mean"}),
               "printed": printed.T.assign(mean=printed.mean()),
               "ours": ours.T.join(over_seeds(table)).join(cost)}
    board = pd.concat(sources).swaplevel()
    order = [(method, source) for method in ("pca", *RIVALS) if method in ours for source in sources]
    return board.loc[[key for key in order if key in board.index], [*ours.index, *over_seeds(table), *cost]]


def with_spread(means: Iterable[float], spread: Iterable[float]) -> list[str]:
    """Means as text with ± half their range over seeds, where there are several; a dash where there is no mean."""
    half = [f" ± {value:.3f}" if value == value else "" for value in spread]
    return [f"{mean:.3f}{more}" if mean == mean else "–" for mean, more in zip(means, half)]


def gaps(table: pd.DataFrame, value: str = "auroc") -> pd.DataFrame:
    """One row a class and method for one data set: `printed`, and over seeds `ours`, `low`, `high` and `oracle`.

    Raises:
        InputError: a method was trained with several settings.
    """
    _refuse_mixed(table)
    groups = table.groupby(["category", "method"], sort=False)
    ours = groups[value]
    frame = pd.DataFrame({"ours": ours.mean(), "low": ours.min(), "high": ours.max(),
                          "oracle": groups.auroc_best.mean()})
    printed = _printed(table.dataset.iloc[0]).stack()
    return frame.assign(printed=printed.reindex(frame.index)).reset_index()


def changes(table: pd.DataFrame, base: Mapping[str, Any], value: str = "auroc_validation") -> dict[str, pd.Series]:
    """What settings change, each pair of one data set, class, method and seed: series by `method: setting value`.

    `base` names the columns that count as settings and the values to start from; a row is compared with the one of the
    same data set, class, method and seed that has these.

    Raises:
        InputError: no row has these values, or rows differ in something that is not among them.
    """
    labels = [", ".join(f"{name} {row[name]}" for name, usual in base.items() if row[name] != usual)
              for _, row in table.iterrows()]
    keys = ["dataset", "category", "method", "seed"]
    labelled = table.assign(label=labels)
    if "" not in labels or labelled.duplicated([*keys, "label"]).any():
        found = "several of one class" if "" in labels else "none"
        raise InputError(f"expected one row for each class at {dict(base)}, found {found}")
    wide = labelled.pivot(index=keys, columns="label", values=value)
    differences = wide.drop(columns="").sub(wide[""], axis=0)
    return {f"{method}: {label}": frame[label].dropna() for label in dict.fromkeys(filter(None, labels))
            for method, frame in differences.groupby("method", sort=False) if frame[label].notna().any()}
