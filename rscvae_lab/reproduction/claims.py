"""The paper's claims that numbers can check: printed, by its own tables, and by our trainings.

`data/paper/claims.csv` has the claims in our words; everything else is computed here, from the
printed tables and from `results/`. Verdicts follow from rules:

- a mean AUROC is *reproduced* within .01 of the mean of the printed rows, *partly* within .02
  (more than most methods differ by: PCA alone would reproduce the three one-class means of
  Fashion-MNIST);
- a gain is *reproduced* where its interval lies above 0 and ours is between half of and twice
  what the tables give (if they give anything), *partly* where it is less or more, *not reproduced*
  where the interval lies below 0, or includes 0 and ends more than a point below what the tables
  give, and else *undecided*. Of a single seed, whose interval does not cover others, a change of
  less than a point, up or down, is undecided too, unless it ends that far below the tables. On the
  few images of MVTec AD, where another seed moves a mean by 3.4, it is 3.5 points instead of one;
- that nothing changes is *reproduced* where the interval lies within one point of 0, and else
  *undecided*;
- "most classes" is *reproduced* where more than half of them rise (or fall) in every seed, *not
  reproduced* where no seed has more than half, and else, or of a single seed, *undecided*;
- a text that its own tables refute *contradicts itself*, whatever ours say, and so does "most
  classes" where no more than half of them rise;
- what needs data that are not here *cannot be tested here*. Of MVTec AD some categories are: ours
  are compared with the paper's rows of these alone (of Table 5, which has no rows, with its mean),
  and the verdict says how many they are.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from rscvae_lab.errors import InputError
from rscvae_lab.reproduction import industrial, scoreboard
from rscvae_lab.reproduction.printed import printed_aurocs, printed_losses, printed_table
from rscvae_lab.reproduction.statistics import Estimate, estimate, paired, units
from rscvae_lab.storage.files import project_root, resource, stored, write_whole

STORED = Path("results") / "claims.csv"
DATASETS = ("mnist", "fashion_mnist")
SAME, CLOSE = 0.01, 0.02  # of mean AUROCs
# above the widest range of RSC-VAE's means over seeds in results/: .0058, and .0342 in table3.csv
NOISE = {"mnist": 0.01, "fashion_mnist": 0.01, "mvtec_ad": 0.035}
STABLE = 0.001  # a gain of the tables that is none
_ROUNDING = 0.00101  # half a thousandth each of rows and mean, and float error
COLUMNS = ("claim", "place", "unit", "printed", "recomputed", "here", "ours", "low", "high",
           "seeds", "schedule", "verdict", "shown")
_FEWER = {  # mode e by its p, of what it is taken, and whether l_consist is used on the anomalies
    (0.002, "class", True): "e_fifth", (0.005, "class", True): "e_half",
    (0.005, "class", False): "e_half_enc1", (0.005, "training_set", True): "e_half_all",
}
OURS = "ours (95 % interval)"  # a heading
_CPU = f"{scoreboard.LITERAL}, CPU"  # what was trained there alone is compared there alone
_NEAREST = ("reproduced", "partly", "undecided", "not reproduced", "cannot be tested here")
_LAYOUTS = {"AUROC": "{:.4g}", "points": "{:+z.2f}", "S_a": "{:+z.3f}", "classes": "{:.3g}",
            "categories": "{:.0f}"}
_VALUES = {"deviation": "semantic_deviation_rate", "s_a": "s_a", "s_a classes": "s_a",
           "s_a, whole test set": "s_a_test_mean"}


def claims(folder: str | Path = "results") -> pd.DataFrame:
    """One row a claim, with `COLUMNS`: AUROCs, gains in points (hundredths), counts of classes.

    `seeds` and `schedule` are those of our rows. Raises InputError where a table is missing.
    """
    tables = {dataset: _tables(dataset, folder) for dataset in DATASETS}
    with suppress(InputError):
        parts = industrial.with_losses(industrial.table3(folder))
        size, epochs = (f"{parts[name].max():.0f}" for name in ("image_size", "epochs"))
        tables["mvtec_ad"] = {f"{size} pixels, {epochs} epochs": parts} if len(parts) else {}
    rows = [_row(claim, tables.get(claim.dataset, {})) for claim in read_claims().itertuples()]
    return pd.DataFrame(rows, columns=COLUMNS)


def read_claims() -> pd.DataFrame:
    """The claims in our words, with place and printed figure, and how they are checked."""
    table = pd.read_csv(resource("data/paper/claims.csv"), dtype=str).fillna("")
    return table.assign(printed=pd.to_numeric(table.printed))


def write() -> pd.DataFrame:
    """Computes the claims and stores them as `results/claims.csv`."""
    table = claims()
    write_whole(project_root() / STORED, table.to_csv(index=False))
    return table


def stored_claims() -> pd.DataFrame:
    """The claims as `results/claims.csv` has them, found as `storage.files.stored` finds it.
    Raises InputError where it is not there."""
    path = stored(STORED)
    if not path.is_file():
        raise InputError(f"expected {path}, found no such file: `rscvae claims --write` makes it")
    return pd.read_csv(path, dtype={"shown": str})


def written(table: pd.DataFrame) -> pd.DataFrame:
    """The claims as a reader sees them: index `claim`, all else text, rounded by its unit."""
    rows = []
    for row in table.itertuples():
        printed, recomputed, here, ours, low, high = (
            _LAYOUTS[row.unit].format(value) if value == value else "–"
            for value in (row.printed, row.recomputed, row.here, row.ours, row.low, row.high))
        by_seed = ", by seed" if row.unit == "classes" else ""
        rows.append({"claim": row.claim, "place": row.place, "printed": printed,
                     "tables": recomputed + f" (here {here})" * (here != "–"),
                     OURS: f"{ours} ({low} to {high}{by_seed})" if row.seeds else "–",
                     "seeds": str(row.seeds or "–"), "schedule": row.schedule,
                     "verdict": row.verdict})
    return pd.DataFrame(rows).set_index("claim")


def as_text(table: pd.DataFrame) -> str:
    """The claims for a terminal: verdict, figures, claim."""
    lines = [f"{'verdict':44} {'printed':>8} {'tables':>20}  {OURS:28}  "
             "seeds  claim (place; unit)"]
    for unit, (claim, row) in zip(table.unit, written(table).iterrows()):
        lines.append(f"{row.verdict:44} {row.printed:>8} {row.tables:>20}  "
                     f"{row[OURS]:28}  {row.seeds:>5}  {claim} "
                     f"({row.place}; {unit})")
    return "\n".join(lines)


def nearest(table: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: of the readings of what the paper leaves open the one whose verdict on ours
    is nearest to the paper."""
    readings = read_claims().set_index("claim").readings.reindex(table.claim).fillna("")
    verdicts = table.verdict.str.split("; ").str[-1].str.split(" on ").str[0]
    order = table.assign(rank=verdicts.map({name: i for i, name in enumerate(_NEAREST)}),
                         of=[reading or claim for reading, claim in zip(readings, table.claim)])
    best = order.sort_values("rank", kind="stable").drop_duplicates("of")
    return table.loc[best.index.sort_values()]


def differences(fresh: pd.DataFrame, stored: pd.DataFrame, tolerance: float = 6e-4) -> list[str]:
    """What of the stored claims no longer follows from the results, one line each."""
    lines = []
    if list(fresh.claim) != list(stored.claim):
        return [f"expected the {len(fresh)} claims of data/paper/claims.csv, found {len(stored)} "
                "others"]
    for new, old in zip(fresh.to_dict("records"), stored.to_dict("records")):
        for name in COLUMNS:
            a, b = new[name], old[name]
            both_missing = a != a and b != b
            if isinstance(a, float) and isinstance(b, float) and abs(a - b) <= tolerance:
                continue
            if not both_missing and a != b:
                lines.append(f"{new['claim']}: {name} is {b} there and {a} by the results")
    return lines


def _tables(dataset: str, folder: str | Path) -> Mapping[str, pd.DataFrame]:
    """Our rows by schedule, the paper's own first, where ten classes of a seed are trained."""
    tables, fewer = scoreboard.schedules(dataset, folder), {scoreboard.LESSON: "anomalies"}
    with suppress(InputError):
        tables[_CPU] = scoreboard.literal(dataset, folder, ("literal",))
        fewer[_CPU] = "anomalies_literal"
    for schedule, table in tables.items():
        parts = [table, scoreboard.stored("rivals", folder)]
        parts += [_of_fewer(fewer[schedule], folder)] if schedule in fewer else []
        whole = pd.concat(parts, ignore_index=True)
        tables[schedule] = whole[whole.dataset == dataset]
    return tables


def _of_fewer(name: str, folder: str | Path) -> pd.DataFrame:
    """The rows of a table that `_FEWER` has, under their names."""
    rows = scoreboard.stored(name, folder)
    keys = zip(rows.p, rows.anomaly_base, rows.consist_on_anomaly)
    return rows.assign(method=list(map(_FEWER.get, keys))).dropna(subset="method")


def _row(claim: pd.Series, tables: Mapping[str, pd.DataFrame]) -> dict[str, object]:
    is_mean = claim.kind in ("mean", "loss, mean")
    scale, unit = (1, "AUROC") if is_mean else (100, "points")
    is_s_a = claim.kind in ("s_a", "s_a, whole test set")
    if is_s_a or claim.kind in ("count", "classes", "s_a classes"):
        scale, unit = 1, "S_a" if is_s_a else {"count": "categories"}.get(claim.kind, "classes")
    expected, text = _recomputed(claim), claim.printed / scale
    ours, schedule = _ours(claim, tables)
    here = [set(table.category) for table in tables.values()]
    partial = ours is not None and claim.dataset == "mvtec_ad"
    of_rows = partial and "loss" not in claim.kind
    among = _recomputed(claim, here[0]) if of_rows else expected
    if claim.kind in ("classes", "s_a classes"):
        verdict = _verdict_on_counts(ours)
    elif is_mean:
        verdict = _verdict_on_mean(ours, among)
    else:
        sign = -1 if is_s_a else 1
        is_stable = text != text and abs(expected) <= STABLE  # no gain is claimed
        verdict = _verdict_on_gain(ours, 0.0 if is_stable else sign * among, sign,
                                   NOISE.get(claim.dataset, 0.0))
    if partial:
        verdict += f" on {ours.n_classes} categories"
    not_most = claim.kind == "classes" and text != text and (
        expected <= len(printed_aurocs(claim.dataset)) / 2)
    if abs(text - expected) > _ROUNDING or not_most:
        verdict = "contradicts itself" + (f"; {verdict}" if ours else "")
    figures = dict(zip(("ours", "low", "high"), ours[:3] if ours else [float("nan")] * 3))
    numbers = {"recomputed": expected, "here": among if of_rows else float("nan")} | figures
    return {"claim": claim.claim, "place": claim.place, "unit": unit, "printed": claim.printed,
            **{name: round(scale * value, 4) for name, value in numbers.items()},
            "seeds": ours.n_seeds if ours else 0, "schedule": schedule, "verdict": verdict,
            "shown": claim.shown}


def _recomputed(claim: pd.Series, categories: Collection[str] | None = None) -> float:
    """What the paper's own tables give, or their rows of these categories; NaN where they have no
    such row."""
    if claim.kind == "count":
        return float(sum(len(printed_aurocs(name)) for name in (*DATASETS, "mvtec_ad")))
    if claim.kind.startswith("s_a"):
        table = printed_table("table4_sa").drop(index="average")
        change = table["RSC-VAE_o"] - table["VAE"]
        return float((change < 0).sum() if claim.kind == "s_a classes" else change.mean())
    if claim.kind.startswith("loss"):
        losses = printed_losses(claim.dataset)
        return {"loss, mean": losses["e"], "loss, l_enc1": losses["e, l_enc1"] - losses["o"],
                "loss, l_consist": losses["e"] - losses["e, l_enc1"],
                "loss, both": losses["e"] - losses["o"],
                "loss, number": printed_aurocs(claim.dataset)["e"].mean() - losses["e"],
                }[claim.kind]
    table = scoreboard.printed_readings(claim.dataset)
    table = table.loc[sorted(categories or table.index)]
    if claim.kind in ("number", "deviation") or not {claim.method, claim.other} <= {"", *table}:
        return float("nan")
    if claim.kind == "mean":
        return float(table[claim.method].mean())
    change = table[claim.method] - table[claim.other]
    return float((change > 0).sum() if claim.kind == "classes" else change.mean())


def _ours(claim: pd.Series, tables: Mapping[str, pd.DataFrame]) -> tuple[Estimate | None, str]:
    """Our figure from the first schedule that has the rows it needs, and that schedule."""
    value = _VALUES.get(claim.kind, "auroc")
    for schedule, table in tables.items():
        if not {claim.method, claim.other} <= {"", *table.method}:
            continue
        if not claim.other:
            return estimate(units(table, claim.method, value)), schedule
        change = paired(table, claim.method, claim.other, value)
        if "classes" in claim.kind:
            better = change < 0 if value == "s_a" else change > 0
            counts = better.sum()
            return Estimate(float(counts.mean()), float(counts.min()), float(counts.max()),
                            *change.shape), schedule
        if schedule == scoreboard.LITERAL and claim.other in scoreboard.RIVALS:
            epochs = table.epochs[table.method == claim.other].iloc[0]
            schedule += f"; the other {epochs:.0f} of the lesson"
        return estimate(change), schedule
    return None, "none"


def _verdict_on_mean(ours: Estimate | None, expected: float) -> str:
    if ours is None:
        return "cannot be tested here"
    gap = abs(ours.mean - expected)
    return "reproduced" if gap <= SAME else "partly" if gap <= CLOSE else "not reproduced"


def _verdict_on_gain(ours: Estimate | None, expected: float, sign: int, noise: float) -> str:
    """Of ours times `sign`; `expected` is what the tables give, 0 where they claim no change."""
    if ours is None:
        return "cannot be tested here"
    low, mean, high = sorted((sign * ours.low, sign * ours.mean, sign * ours.high))
    if expected == 0:
        return "reproduced" if max(-low, high) <= noise else "undecided"
    if low <= 0 and expected - high > noise:
        return "not reproduced"
    if low <= 0 <= high or (ours.n_seeds == 1 and abs(mean) < noise):
        return "undecided"
    if mean < 0:
        return "not reproduced"
    return "partly" if mean < expected / 2 or mean > 2 * expected else "reproduced"


def _verdict_on_counts(ours: Estimate | None) -> str:
    """Most classes in every seed, in none, or in some."""
    if ours is None:
        return "cannot be tested here"
    half = ours.n_classes / 2
    if ours.n_seeds == 1 or ours.low <= half < ours.high:
        return "undecided"
    return "reproduced" if ours.low > half else "not reproduced"
