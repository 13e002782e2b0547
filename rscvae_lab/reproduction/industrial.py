"""Table 3 on the categories of MVTec AD at hand (`results/table3.csv`), beside the paper's.

One table holds several values of beta, numbers of anomalies and kinds of light; each function
takes from it what it compares. The test set is the same in all of them (`test_without`).
"""

from pathlib import Path

import pandas as pd

from rscvae_lab.errors import InputError
from rscvae_lab.methods import FLOORS, METHODS
from rscvae_lab.reproduction import scoreboard
from rscvae_lab.reproduction.printed import printed_aurocs

USUAL = {"beta": 1.0, "per_defect": 1, "consist_on_anomaly": True, "jitter": 0.0}
INDUSTRIAL_FLOORS = ("brightness", *FLOORS)
COUNTS = ("n_train", "n_test_normal", "n_test_novel")
PARTIAL = {"capsule": "9 of its 23 good test images"}  # of what MVTec AD has in full, we have
KEYS = ["category", "method"]


def table3(folder: str | Path = "results") -> pd.DataFrame:
    """The rows of Table 3 and of what varies around it. Raises InputError where there are none."""
    table = scoreboard.stored("table3", folder)
    if table.empty:
        raise InputError("expected rows in table3.csv, found none: results/sweeps.sh parts "
                         "trains them")
    return table


def usual(table: pd.DataFrame, **changes: float) -> pd.DataFrame:
    """The rows with Table 3's settings, but for `changes`."""
    wanted = USUAL | changes
    return table[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)]


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each (method, seed) that has all categories of the table: means over fewer
    cannot be compared."""
    n = table.groupby(["method", "seed"]).category.transform("nunique")
    return table[n == table.category.nunique()]


def board(table: pd.DataFrame) -> pd.DataFrame:
    """A row a category and method, in the paper's order of methods.

    Columns: `printed`; over seeds `ours`, `low`, `high` (Eq. 15 by the paper's conventions),
    `oracle` (best epoch on test), `local` (ours, the local score), `pixel_auroc` and `pro` (NaN
    without masks); `counts` of images, and `n_seeds`.
    """
    rows = usual(table)
    seeds = rows.groupby(KEYS)
    frame = seeds.auroc.agg(ours="mean", low="min", high="max", n_seeds="count")
    for name, column in {"oracle": "auroc_best", "local": "auroc_local", "pixel_auroc":
                         "pixel_auroc", "pro": "pro"}.items():
        frame[name] = seeds[column].mean()
    frame["printed"] = printed_aurocs("mvtec_ad").stack().reindex(frame.index)
    for name in COUNTS:
        frame[name] = seeds[name].max().astype(int)
    order = [name for name in METHODS if name in frame.index.get_level_values("method")]
    return frame.reindex(pd.MultiIndex.from_product(
        [frame.index.levels[0], order], names=KEYS)).dropna(subset="ours").reset_index()


def over_betas(table: pd.DataFrame) -> pd.DataFrame:
    """Of modes d and e a row a category: the AUROC at each beta; `chosen`, at the beta that is
    best on shifted held-out images, by `auroc_validation`; and `oracle over beta`, the best on the
    test set, as the paper chooses. Choices are made in each seed that has every beta; all figures
    are means over those `n_seeds`. Without a second beta there is nothing to choose: no row."""
    rows = table[table.method.isin(["d", "e"])]
    rows = pd.concat([rows[:0], *(usual(rows, beta=beta) for beta in sorted(rows.beta.unique()))])
    index = [*KEYS, "seed"]
    test, validation = (rows.pivot(index=index, columns="beta", values=name).dropna()
                        for name in ("auroc", "auroc_validation"))
    if test.shape[1] < 2:
        test, validation = test[:0], validation[:0]
    best = validation.idxmax(axis=1)
    chosen = [test.loc[key, beta] for key, beta in best.items()]
    frame = test.assign(chosen=chosen, **{"oracle over beta": test.max(axis=1)})
    by_category = frame.groupby(KEYS)
    return by_category.mean().assign(n_seeds=by_category.size())


def local_gains(table: pd.DataFrame, method: str = "o") -> pd.DataFrame:
    """A row a category: what the local score adds to Eq. 15 (both without the test set), a mean
    over seeds, with a 95 % interval from the finite test set (DeLong et al. 1988; the seeds share
    it, so more of them do not make it narrower), and the difference of the validation AUROCs,
    known before any test image is looked at."""
    rows = usual(table[table.method == method]).dropna(subset="local_gain_error")
    rows = rows.assign(gain=rows.auroc_local - rows.auroc_heldout_norm,
                       expected=rows.auroc_validation_local - rows.auroc_validation)
    seeds = rows.groupby("category")
    gain, error = seeds.gain.mean(), seeds.local_gain_error.mean()
    return pd.DataFrame({
        "eq_15": seeds.auroc_heldout_norm.mean(), "local": seeds.auroc_local.mean(), "gain": gain,
        "low": gain - 1.96 * error, "high": gain + 1.96 * error, "expected": seeds.expected.mean(),
        "n_seeds": seeds.size()})


def lit(table: pd.DataFrame) -> pd.DataFrame:
    """The categories that were also trained in changing light: by category, method and `light` (as
    photographed, or with jitter) the AUROCs of its own score (Eq. 15, of a VAE l_recon alone), of
    l_recon alone and of the local score, means over the seeds that have both kinds of light, that
    of l_recon alone in its lowest and highest seed, and how many they are."""
    values = {"auroc": "own score", "auroc_recon": "l_recon alone", "auroc_local": "local score"}
    jittered = table[table.jitter > 0]
    rows = pd.concat([usual(table), *(usual(table, jitter=jitter)
                                      for jitter in jittered.jitter.unique())])
    rows = rows.assign(light=(rows.jitter > 0).map({False: "as photographed", True: "jitter"}))
    rows = rows[rows.groupby([*KEYS, "seed"]).light.transform("nunique") == 2]
    groups = rows.rename(columns=values).groupby([*KEYS, "light"])
    recon = groups["l_recon alone"]
    return groups[list(values.values())].mean().assign(
        **{"l_recon, lowest seed": recon.min(), "l_recon, highest seed": recon.max()},
        n_seeds=groups.size())


def with_losses(table: pd.DataFrame) -> pd.DataFrame:
    """The whole rows, with mode e's variants as methods of their own: `e_2` and `e_3` anomalies of
    each type (Fig. 6), `e_enc1` without l_consist on them (Table 5)."""
    variants = {"e_2": {"per_defect": 2}, "e_3": {"per_defect": 3},
                "e_enc1": {"consist_on_anomaly": False}}
    e = table[table.method == "e"]
    parts = [usual(table), *(usual(e, **change).assign(method=name)
                             for name, change in variants.items())]
    return whole(pd.concat(parts, ignore_index=True))
