"""The stored results of sweeps beside the paper's printed ones; nothing is trained here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from rscvae_lab.config import CATEGORIES, Config, category_slug
from rscvae_lab.engine.draws import steps_per_epoch
from rscvae_lab.errors import InputError
from rscvae_lab.methods import FLOORS, MODES, row_of
from rscvae_lab.reproduction.printed import own_papers, printed_aurocs, printed_average
from rscvae_lab.reproduction.statistics import best_floor, estimate, paired
from rscvae_lab.runs.run import ROW_NAMES
from rscvae_lab.runs.table import with_later_settings
from rscvae_lab.storage import files

COST = ("steps", "seconds", "images_per_second")  # of a training
# the compared methods of Tables 1 and 2
RIVALS = ("ae", "ganomaly", "ganomaly_dcgan", "ocgan", "gradcon", "adgan", "dsebm", "dsebm_energy")
# one printed column, two methods of ours that it may be
READINGS = {"e_all": "e", "ganomaly_dcgan": "ganomaly", "dsebm_energy": "dsebm"}
METHODS = (*FLOORS, "vae", "recode_vae", "o", "d", "e", "e_all")
# rows of one mean agree in all of these: in every setting but those that make a row another one
SETTINGS = [each.name for each in fields(Config) if each.name not in
            {"dataset", "category", "mode", "seed", "root", "data", "channels", "stack"}]
MACHINE = ["device", "precision"]  # may differ between the seeds of a mode, not within one
LITERAL, LESSON = "literal, 50 epochs", "lesson, 10 epochs"
LITERAL_TABLES = ("literal_gpu", "literal")  # the first that has a seed counts
VALUES = {"auroc": "ours", "auroc_heldout_norm": "held-out means", "auroc_best": "oracle"}


def stored(name: str, folder: str | Path = "results") -> pd.DataFrame:
    """The table of a sweep, `<folder>/<name>.csv`; a relative folder is in the checkout. Where
    the package was installed it is in the working directory, else among the tables shipped.
    Raises InputError where there is no such table, or it is not one of `rscvae sweep`."""
    path = _place(name, folder)
    expected = f"expected a table of rscvae sweep in {path}"
    if not path.is_file():
        raise InputError(f"{expected}, found no such file")
    texts = dict.fromkeys(("category", "config_hash", "commit", "data"), str)  # such as 10e401
    table = with_later_settings(pd.read_csv(path, dtype=texts))
    missing = set(ROW_NAMES) - set(table.columns)
    if missing:
        raise InputError(f"{expected}, found no column {min(missing)}")
    return table


def _place(name: str, folder: str | Path) -> Path:
    return files.stored(Path(folder) / f"{name}.csv")


def both_bases(dataset: str, folder: str | Path = "results") -> pd.DataFrame:
    """A data set's floors and its trainings of ten epochs (the lesson's schedule), with as method
    `e_all` the mode e whose 1 % of anomalies is counted of the whole training set and not of the
    class: the paper leaves this open. Raises InputError as `stored`."""
    anomalies = stored("anomalies", folder).query("p == 0.01")
    return _with_floors(dataset, [stored(dataset, folder), anomalies], folder)


def literal(dataset: str, folder: str | Path = "results",
            tables: Sequence[str] = LITERAL_TABLES) -> pd.DataFrame:
    """As `both_bases`, at the paper's own schedule: each seed whose ten classes are trained in
    every mode, from the first of these tables that has it (the GPU's, else that of CPUs). So a
    difference between modes is never one of the device. Raises InputError as `stored`, where a
    method was trained with several settings, and where no table has such a seed."""
    seeds = _literal_seeds(dataset, folder, tables)
    if not seeds:
        raise InputError("expected a seed that every mode has with every class, found none")
    return _with_floors(dataset, seeds, folder)


def _literal_seeds(dataset: str, folder: str | Path, tables: Sequence[str]) -> list[pd.DataFrame]:
    seeds: dict[int, pd.DataFrame] = {}
    for name in tables:
        if not _place(name, folder).is_file():
            continue  # without a GPU there is no table of one
        rows = _of_dataset(dataset, [stored(name, folder)])
        _refuse_mixed(rows)
        methods = sorted({*MODES, *rows.method})
        for seed, of_seed in rows.groupby("seed"):
            n_classes = of_seed.groupby("method").category.nunique().reindex(methods)
            if (n_classes == len(CATEGORIES[dataset])).all():
                seeds.setdefault(seed, of_seed)
    return [seeds[seed] for seed in sorted(seeds)]


def schedules(dataset: str, folder: str | Path = "results") -> dict[str, pd.DataFrame]:
    """`literal`, as soon as one seed is complete, and `both_bases`, by the schedule's name."""
    tables = {LESSON: both_bases(dataset, folder)}
    seeds = _literal_seeds(dataset, folder, LITERAL_TABLES)
    return {LITERAL: _with_floors(dataset, seeds, folder)} | tables if seeds else tables


def against_floor(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """For one data set the best floor, and for each method the `Estimate` of its difference."""
    floor = best_floor(table)
    methods = [name for name in METHODS if name not in FLOORS and name in set(table.method)]
    rows = [estimate(paired(table, method, floor)) for method in methods]
    return floor, pd.DataFrame(rows, methods)


def _with_floors(dataset: str, tables: list[pd.DataFrame], folder: str | Path) -> pd.DataFrame:
    return _of_dataset(dataset, [stored("floors", folder), *tables])


def _of_dataset(dataset: str, tables: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(tables, ignore_index=True)
    table["method"] = [row_of(method, {"anomaly_base": base})
                       for method, base in zip(table.method, table.anomaly_base)]
    return table[table.dataset == dataset].reset_index(drop=True)


def printed_readings(dataset: str) -> pd.DataFrame:
    """The printed table, with a column for each of our readings of one."""
    table = printed_aurocs(dataset)
    return table.assign(**{ours: table[printed] for ours, printed in READINGS.items()
                           if printed in table})


def _refuse_mixed(table: pd.DataFrame) -> None:
    """Modes may be of another device, and so precision, in another seed, but not in the same one:
    a difference between them could be one of rounding."""
    is_mode = table.method.isin(METHODS) & ~table.method.isin(FLOORS)
    of_modes = [name for name in SETTINGS if name not in MACHINE]
    for rows, names in ((table[~is_mode], SETTINGS), (table[is_mode], of_modes)):
        groups = rows.groupby(["dataset", "method"])[names]
        for (dataset, method), settings in groups.nunique(dropna=False).iterrows():
            mixed = settings.index[settings > 1]
            if len(mixed):
                raise InputError(f"expected one setting of {method} on {dataset}, found several "
                                 f"values of {mixed[0]}")
    for name in MACHINE:
        of_seeds = table[is_mode].groupby(["dataset", "seed"])[name].unique()
        for (dataset, seed), values in of_seeds.items():
            if len(values) > 1:
                raise InputError(f"expected one {name} for all modes of seed {seed} on {dataset}, "
                                 f"found {' and '.join(map(str, values))}")


def complete_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each (data set, method, seed) that has every class: means over fewer classes
    cannot be compared. Raises InputError where no seed is complete, or where a method was trained
    with several settings, which no mean should mix."""
    _refuse_mixed(table)
    n_classes = table.groupby(["dataset", "method", "seed"]).category.transform("nunique")
    expected = table.dataset.map({name: len(classes) for name, classes in CATEGORIES.items()})
    complete = table[n_classes == expected]
    if complete.empty:
        most = n_classes.max() if len(table) else 0
        raise InputError(f"expected a seed with every class, found {most} classes at most")
    return complete


def over_seeds(table: pd.DataFrame, value: str = "auroc") -> pd.DataFrame:
    """For each method the `mean` over seeds of the mean over classes, its `spread` (half the range
    over seeds; NaN with one seed) and `n_seeds`."""
    by_seed = table.groupby(["method", "seed"], sort=False)[value].mean()
    seeds = by_seed.groupby("method", sort=False)
    spread = ((seeds.max() - seeds.min()) / 2).where(seeds.count() > 1)
    return pd.DataFrame({"mean": seeds.mean(), "spread": spread, "n_seeds": seeds.size()})


def by_class(table: pd.DataFrame, value: str = "auroc") -> pd.DataFrame:
    """For one data set the mean over seeds of each class (rows, in the data set's order) and
    method (columns)."""
    dataset = table.dataset.iloc[0]
    own = sorted(table.category.unique())  # of a user's folder
    order = [category_slug(dataset, name) for name in CATEGORIES.get(dataset, own)]
    means = table.pivot_table(index="category", columns="method", values=value)
    return means.reindex([name for name in order if name in means.index])


def scoreboard(table: pd.DataFrame) -> pd.DataFrame:
    """For one data set a row per method.

    Columns: `printed`, the average as printed; `recomputed`, the mean of the printed rows; `ours`
    and `spread`, the mean over classes at the result epoch and half its range over seeds;
    `held-out means` and `held-out spread`, the same score normalised without the test set;
    `oracle`, the best evaluated epoch of each class, chosen on the test set as the paper chooses;
    `ours - recomputed`; `n_seeds`.
    """
    dataset, table = table.dataset.iloc[0], complete_seeds(table)
    means = {name: over_seeds(table, value) for value, name in VALUES.items()}
    ours = means["ours"].reindex([name for name in METHODS if name in means["ours"].index])
    averages = printed_average(dataset)
    printed = pd.Series(averages | {"e_all": averages[READINGS["e_all"]]})
    recomputed = printed_readings(dataset).mean()
    board = pd.DataFrame({"printed": printed, "recomputed": recomputed}).reindex(ours.index)
    board = board.assign(**{name: frame["mean"] for name, frame in means.items()})
    board.insert(3, "spread", ours.spread)
    board.insert(5, "held-out spread", means["held-out means"].spread)
    difference = {"ours - recomputed": board.ours - board.recomputed}
    return board.assign(**difference, n_seeds=ours.n_seeds)


def compared(dataset: str, folder: str | Path = "results") -> pd.DataFrame:
    """The compared methods and the floors: a row per method and source, as far as there is one. A
    source is the method's `own paper` (by its own protocol), `printed` (Tables 1 and 2) or `ours`.

    Columns: the AUROC of each class, ours a mean over seeds; `mean` over the classes; for ours
    also `spread` (half the range of that mean over seeds), `n_seeds`, and the medians over
    trainings of `steps` (batches, each with an optimizer step), `seconds` and
    `images_per_second`; none of the floors, whose work is in the scoring. Raises InputError as
    `stored` and `complete_seeds`.
    """
    trained, floors = stored("rivals", folder), stored("floors", folder)
    table = pd.concat([floors, trained], ignore_index=True)
    table = complete_seeds(table[table.dataset == dataset])
    printed, ours, means = printed_readings(dataset), by_class(table), over_seeds(table)
    steps = table.epochs * list(map(steps_per_epoch, table.n_train, table.batch_size))
    cost = table.assign(steps=steps)[~table.method.isin(FLOORS)]
    cost = cost.groupby("method")[list(COST)].median()
    sources = {"own paper": own_papers(dataset).rename(columns={"average": "mean"}),
               "printed": printed.T.assign(mean=printed.mean()),
               "ours": ours.T.join(means).join(cost)}
    board = pd.concat(sources).swaplevel()
    rows = [(method, source) for method in (*FLOORS, *RIVALS) if method in ours
            for source in sources if (method, source) in board.index]
    return board.loc[rows, [*ours.index, *means, *cost]]


def with_spread(means: Iterable[float], spread: Iterable[float]) -> list[str]:
    """Means ± half their range over seeds, as text; a dash for NaN."""
    ranges = [f" ± {value:.3f}" if value == value else "" for value in spread]
    return [f"{mean:.3f}{more}" if mean == mean else "–" for mean, more in zip(means, ranges)]


def gaps(table: pd.DataFrame, value: str = "auroc") -> pd.DataFrame:
    """For one data set a row per class and method: `printed`, and over seeds `ours`, `low`, `high`
    and `oracle`. Raises InputError where a method was trained with several settings."""
    _refuse_mixed(table)
    groups = table.groupby(["category", "method"], sort=False)
    frame = groups[value].agg(ours="mean", low="min", high="max")
    frame["oracle"] = groups.auroc_best.mean()
    printed = printed_readings(table.dataset.iloc[0]).stack()
    return frame.assign(printed=printed.reindex(frame.index)).reset_index()


def changes(table: pd.DataFrame, base: Mapping[str, Any], value: str = "auroc_validation"
            ) -> dict[str, pd.Series]:
    """What a change of settings does to a value, paired by data set, class, method and seed: a
    series of differences for each `method: setting value`. `base` names the columns that count as
    settings and the values to compare with. Raises InputError where no row has these values, or
    rows differ in other settings too."""
    labels = [", ".join(f"{name} {row[name]}" for name in base if row[name] != base[name])
              for _, row in table.iterrows()]
    keys = ["dataset", "category", "method", "seed"]
    labelled = table.assign(label=labels)
    if "" not in labels or labelled.duplicated([*keys, "label"]).any():
        problem = "several of one class" if "" in labels else "none"
        raise InputError(f"expected one row for each class at {dict(base)}, found {problem}")
    wide = labelled.pivot(index=keys, columns="label", values=value)
    differences = wide.drop(columns="").sub(wide[""], axis=0)
    return {f"{method}: {label}": part[label].dropna() for label in dict.fromkeys(labels) if label
            for method, part in differences.groupby("method", sort=False)
            if part[label].notna().any()}
