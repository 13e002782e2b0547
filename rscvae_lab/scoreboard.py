"""The stored results of sweeps beside what the paper prints. Nothing is trained here: everything follows from CSVs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rscvae_lab.errors import InputError
from rscvae_lab.files import project_root
from rscvae_lab.paper import printed_aurocs, printed_average
from rscvae_lab.runs import ROW_NAMES

METHODS = ("pca", "vae", "recode_vae", "o", "d", "e")
VALUES = {"auroc": "ours", "auroc_heldout_norm": "held-out means", "auroc_best": "oracle"}


def stored(name: str, folder: str | Path = "results") -> pd.DataFrame:
    """The table of a sweep, `<folder>/<name>.csv`, a relative folder being the checkout's.

    Raises:
        InputError: there is no such table, or it is not one of `rscvae sweep`.
    """
    path = project_root() / Path(folder).expanduser() / f"{name}.csv"
    if not path.is_file():
        raise InputError(f"expected a table of rscvae sweep in {path}, found no such file")
    table = pd.read_csv(path, dtype={"category": str, "commit": str})
    missing = set(ROW_NAMES) - set(table.columns)
    if missing:
        raise InputError(f"expected a table of rscvae sweep in {path}, found no column {min(missing)}")
    return table


def complete_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of those (data set, method, seed) that have every class the table has: means over fewer would compare
    other classes. A method without random draws, such as PCA, counts as its only seed."""
    n_classes = table.groupby("dataset").category.transform("nunique")
    found = table.groupby(["dataset", "method", "seed"]).category.transform("nunique")
    return table[found == n_classes]


def over_seeds(table: pd.DataFrame, value: str = "auroc", by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Means over the classes in each seed, then over seeds: `mean`, `spread` and `n_seeds` of each group.

    The spread is half the range over seeds; NaN where there is one seed.
    """
    each = table.groupby([*by, "seed"], sort=False)[value].mean().groupby(list(by), sort=False)
    half = (each.max() - each.min()) / 2
    return pd.DataFrame({"mean": each.mean(), "spread": half.where(each.count() > 1), "n_seeds": each.size()})


def by_class(table: pd.DataFrame, value: str = "auroc") -> pd.DataFrame:
    """Mean over seeds of every class (rows, in the data set's order) and method (columns)."""
    order = table.category.drop_duplicates()
    return table.pivot_table(index="category", columns="method", values=value).reindex(order)


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
    board = pd.DataFrame({"printed": pd.Series(printed_average(dataset)), "recomputed": printed_aurocs(dataset).mean()})
    board = board.reindex(ours.index).assign(**{name: frame["mean"] for name, frame in found.items()})
    board.insert(3, "spread", ours.spread)
    return board.assign(**{"ours - recomputed": board.ours - board.recomputed, "n_seeds": ours.n_seeds})


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """One row a class and method for one data set: `printed`, and over seeds `ours`, `low`, `high` and `oracle`."""
    groups = table.groupby(["category", "method"], sort=False)
    frame = pd.DataFrame({"ours": groups.auroc.mean(), "low": groups.auroc.min(), "high": groups.auroc.max(),
                          "oracle": groups.auroc_best.mean()})
    printed = printed_aurocs(table.dataset.iloc[0]).stack()
    return frame.assign(printed=printed.reindex(frame.index)).reset_index()


def changes(table: pd.DataFrame, base: Mapping[str, Any], value: str = "auroc_validation") -> dict[str, pd.Series]:
    """What settings change, each pair of one data set, class, method and seed: series by `method: setting value`.

    `base` names the columns that count as settings and the values to start from; a row is compared with the one of the
    same data set, class, method and seed that has these.
    """
    labels = [", ".join(f"{name} {row[name]}" for name, usual in base.items() if row[name] != usual)
              for _, row in table.iterrows()]
    keys = ["dataset", "category", "method", "seed"]
    wide = table.assign(label=labels).pivot(index=keys, columns="label", values=value)
    differences = wide.drop(columns="").sub(wide[""], axis=0)
    return {f"{method}: {label}": frame[label].dropna() for label in dict.fromkeys(filter(None, labels))
            for method, frame in differences.groupby("method", sort=False) if frame[label].notna().any()}
