"""Result tables against means taken by hand, and against the paper's own rows."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab import figures
from rscvae_lab.errors import InputError
from rscvae_lab.reproduction import printed, scoreboard
from rscvae_lab.runs import ROW_NAMES

CLASSES = [str(i) for i in range(10)]


def rows(method: str, seed: int, auroc: list[float], **settings) -> list[dict]:
    usual = dict.fromkeys(ROW_NAMES) | {"dataset": "mnist", "beta": 1.0}
    return [
        usual
        | {
            "category": name,
            "method": method,
            "seed": seed,
            "auroc": value,
            "auroc_validation": value,
            "auroc_heldout_norm": value - 0.01,
            "auroc_best": value + 0.01,
        }
        | settings
        for name, value in zip(CLASSES, auroc)
    ]


@pytest.fixture
def table():
    """Two seeds of mode o whose class means are 0.95 and 0.97; a third seed that is not finished;
    PCA once."""
    return pd.DataFrame(
        rows("o", 0, [0.9] * 5 + [1.0] * 5)
        + rows("o", 1, [0.97] * 10)
        + rows("o", 2, [0.1] * 4)
        + rows("pca", 0, [0.8] * 10)
    )


def test_means_over_classes_then_seeds(table):
    board = scoreboard.scoreboard(table)
    assert list(board.index) == ["pca", "o"]
    assert board.loc["o", "ours"] == pytest.approx(0.96)
    assert board.loc["o", "spread"] == pytest.approx(0.01)
    assert board.loc["o", "oracle"] == pytest.approx(0.97)
    assert board.loc["o", "held-out means"] == pytest.approx(0.95)
    assert board.loc["o", "held-out spread"] == pytest.approx(0.01)
    assert board.loc["o", "n_seeds"] == 2, "a seed without all classes is no mean over the classes"
    assert np.isnan(board.loc["pca", "spread"])


def test_beside_what_the_paper_prints_and_what_its_rows_give(table):
    """Table 1: the printed average of mode o is .976, its rows give .9763; of PCA the paper has
    nothing."""
    board = scoreboard.scoreboard(table)
    assert board.loc["o", "printed"] == 0.976
    assert board.loc["o", "recomputed"] == pytest.approx(0.9763)
    assert board.loc["o", "ours - recomputed"] == pytest.approx(0.96 - 0.9763)
    assert np.isnan(board.loc["pca", "printed"])


def test_gaps_by_class(table):
    found = scoreboard.gaps(scoreboard.complete_seeds(table)).set_index(["method", "category"])
    assert tuple(found.loc[("o", "7"), ["ours", "low", "high", "printed"]]) == pytest.approx(
        (0.985, 0.97, 1.0, 0.971)
    )
    figure = figures.gap_chart(found.reset_index(), scoreboard.by_class(table).pca, "MNIST")
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == CLASSES[::-1]
    assert axis.get_title() == "RSC-VAE_o"


def test_the_scoreboard_at_a_glance(table):
    (axis,) = figures.means_chart({"MNIST": scoreboard.scoreboard(table)}).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["RSC-VAE_o"]
    assert [text.get_text() for text in axis.texts] == ["0.960"]
    floor, *_ = axis.get_lines()
    assert list(floor.get_xdata()) == pytest.approx([0.8, 0.8])


def test_supervision_counts_anomalies_on_a_log_axis():
    frame = pd.DataFrame({"n": [9, 54], "mean": [0.9, 0.95], "spread": [0.01, np.nan]})
    lines = {"printed": frame, "ours": frame, "ours, longer": frame}
    (axis,) = figures.supervision_chart({"MNIST": lines}).axes
    styles = {bars.get_label(): bars.lines[0].get_linestyle() for bars in axis.containers}
    assert styles == {"printed": "None", "ours": "-", "ours, longer": "--"}
    assert axis.get_xscale() == "log"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["9", "54"]


def test_the_paper_s_own_schedule_needs_a_complete_seed(tmp_path):
    """Of two seeds one lacks a class in one mode, and counts in none; mode e with the larger base
    is a method of its own. A mode without a complete seed would be missing beside the others, so
    there is no table without it."""
    literal = rows("o", 0, [0.9] * 10) + rows("o", 1, [0.8] * 9) + rows("vae", 1, [0.6] * 10)
    for mode in ("vae", "d", "e"):
        literal += rows(mode, 0, [0.85] * 10)
    literal += rows("e", 0, [0.95] * 10, anomaly_base="training_set", p=0.01)
    pd.DataFrame(rows("pca", 0, [0.7] * 10)).to_csv(tmp_path / "floors.csv", index=False)
    pd.DataFrame(literal).to_csv(tmp_path / "literal.csv", index=False)
    found = scoreboard.literal("mnist", tmp_path).groupby("method").auroc.mean()
    expected = {"e_all": 0.95, "o": 0.9, "vae": 0.85, "pca": 0.7}
    assert found[list(expected)].to_dict() == pytest.approx(expected)
    floor, gains = scoreboard.against_floor(scoreboard.literal("mnist", tmp_path))
    assert floor == "pca" and gains["mean"][["o", "e_all"]].tolist() == pytest.approx([0.2, 0.25])
    pd.DataFrame(literal[1:]).to_csv(tmp_path / "literal.csv", index=False)
    with pytest.raises(InputError, match="expected a seed that every mode has"):
        scoreboard.literal("mnist", tmp_path)
    other_seed = rows("o", 1, [0.9] * 10) + literal[19:]
    pd.DataFrame(other_seed).query("method != 'vae' or seed == 0").to_csv(
        tmp_path / "literal.csv", index=False)
    with pytest.raises(InputError, match="expected a seed that every mode has"):
        scoreboard.literal("mnist", tmp_path)


def test_each_seed_of_the_own_schedule_is_of_one_device(tmp_path):
    """Seed 0 is in both tables, and the first counts; seed 1 lacks a mode in the first, so that
    all of it comes from the second."""
    def table(seeds, value, precision):
        modes = {"vae": {}, "o": {}, "d": {}, "e": {}, "e_all": {"anomaly_base": "training_set"}}
        device = {"precision": precision, "device": "cuda" if precision == "tf32" else "cpu"}
        return pd.DataFrame(
            [row for seed in seeds for mode, more in modes.items()
             if (mode, seed, precision) != ("d", 1, "tf32")
             for row in rows(mode.removesuffix("_all"), seed, [value] * 10, **device, **more)])

    pd.DataFrame(rows("pca", 0, [0.7] * 10)).to_csv(tmp_path / "floors.csv", index=False)
    table([0, 1], 0.9, "tf32").to_csv(tmp_path / "literal_gpu.csv", index=False)
    table([0, 1], 0.8, "bfloat16").to_csv(tmp_path / "literal.csv", index=False)
    found = scoreboard.literal("mnist", tmp_path)
    modes = found[found.method != "pca"]
    assert modes.groupby("seed").precision.unique().map(list).to_dict() == {
        0: ["tf32"], 1: ["bfloat16"]}
    assert scoreboard.scoreboard(found).ours.to_dict() == pytest.approx(
        {"pca": 0.7, "vae": 0.85, "o": 0.85, "d": 0.85, "e": 0.85, "e_all": 0.85})


def test_a_change_is_paired(table):
    """Each class and method against itself; what was trained with one setting only says
    nothing."""
    changed = pd.DataFrame(rows("o", 0, [0.95] * 3, beta=10.0) + rows("d", 0, [0.5], beta=10.0))
    found = scoreboard.changes(pd.concat([table, changed]), {"beta": 1.0, "p": None})
    assert list(found) == ["o: beta 10.0"]
    assert found["o: beta 10.0"].tolist() == pytest.approx([0.05] * 3)
    axis = figures.settings_chart(found).axes[0]
    assert len(axis.patches) == 2, "the bar, and what is one seed's chance"
    assert "+0.050" in [text.get_text() for text in axis.texts]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            rows("o", 3, [0.9] * 10, beta=10.0),
            "one setting of o on mnist, found several values of beta",
        ),
        (rows("o", 3, [0.9] * 10, heldout=0.2), "found several values of heldout"),
        (rows("pca", 3, [0.9] * 10, precision="float32"), "found several values of precision"),
        (
            rows("vae", 0, [0.9] * 10, device="cuda"),
            "one device for all modes of seed 0 on mnist, found None and cuda",
        ),
        (
            rows("vae", 0, [0.9] * 10, precision="tf32"),
            "one precision for all modes of seed 0 on mnist, found None and tf32",
        ),
        (None, "a seed with every class, found 4 classes at most"),
    ],
)
def test_means_of_unlike_things_are_refused(more, message, table):
    mixed = (
        pd.DataFrame(rows("o", 2, [0.1] * 4))
        if more is None
        else pd.concat([table, pd.DataFrame(more)])
    )
    with pytest.raises(InputError, match=message):
        scoreboard.complete_seeds(mixed)


def test_changes_need_a_base(table):
    with pytest.raises(InputError, match="found none"):
        scoreboard.changes(table, {"beta": 2.0})
    with pytest.raises(InputError, match="found several of one class"):
        scoreboard.changes(pd.concat([table, table.assign(latent=16)]), {"beta": 1.0})


def test_tables_that_are_none_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"expected a table of rscvae sweep in .*x\.csv, found no such file"
    ):
        scoreboard.stored("x", tmp_path)
    (tmp_path / "x.csv").write_text("dataset,category\nmnist,8\n", "utf-8")
    with pytest.raises(InputError, match="found no column"):
        scoreboard.stored("x", tmp_path)


@pytest.mark.parametrize(
    ("dataset", "method", "average", "recomputed"),
    [
        ("mnist", "ae", 0.928, 0.9267),
        ("fashion_mnist", "o", 0.921, 0.9221),
        ("fashion_mnist", "d", 0.922, 0.9217),
        ("mnist", "ocgan", 0.975, 0.9748),
        ("fashion_mnist", "dsebm", 0.866, 0.8659),
    ],
)
def test_printed_averages_are_not_always_the_means_of_their_rows(
    dataset, method, average, recomputed
):
    assert printed.printed_average(dataset)[method] == average
    assert printed.printed_aurocs(dataset)[method].mean() == pytest.approx(recomputed)


def test_table_5():
    assert printed.printed_losses("fashion_mnist") == {"o": 0.922, "e, l_enc1": 0.944, "e": 0.953}


def test_the_paper_prints_nothing_of_the_digits():
    for table in (printed.printed_aurocs, printed.printed_losses):
        with pytest.raises(InputError, match="found digits"):
            table("digits")


def test_the_compared_methods_stand_beside_the_floor_and_their_own_papers(tmp_path, monkeypatch):
    """A third seed that is not finished counts neither in means nor in costs."""
    cost = {"seconds": 10.0, "images_per_second": 100.0, "epochs": 3,
            "batch_size": 64, "n_train": 5400}
    pd.DataFrame(rows("pca", 0, [0.8] * 10, **cost)).to_csv(tmp_path / "floors.csv", index=False)
    gan = (
        rows("ocgan", 0, [0.9] * 10, **cost)
        + rows("ocgan", 1, [0.7] * 10, **cost)
        + rows("ocgan", 2, [0.5], seconds=1e6, images_per_second=0.0, epochs=3, batch_size=64,
               n_train=640)
    )
    other = rows("ae", 0, [0.7] * 10, dataset="fashion_mnist", **cost)
    pd.DataFrame(gan + other).to_csv(tmp_path / "rivals.csv", index=False)
    board = scoreboard.compared("mnist", tmp_path)
    assert list(board.index) == [
        ("pca", "ours"),
        ("ocgan", "own paper"),
        ("ocgan", "printed"),
        ("ocgan", "ours"),
    ]
    ours = board.loc["ocgan", "ours"]
    assert tuple(ours[["2", "mean", "spread", "n_seeds"]]) == pytest.approx((0.8, 0.8, 0.1, 2))
    assert scoreboard.with_spread([0.8, 0.7, np.nan], [0.1, np.nan, np.nan]) == [
        "0.800 ± 0.100",
        "0.700",
        "–",
    ]
    assert tuple(ours[["steps", "seconds", "images_per_second"]]) == (3 * 85, 10, 100)
    costs = list(scoreboard.COST)
    assert board.loc[("pca", "ours"), costs].isna().all(), "a floor's work is in the scoring"
    assert list(board.loc["ocgan", ["2", "mean"]].iloc[:2].to_numpy().ravel()) == pytest.approx(
        [0.942, 0.975, 0.947, printed.printed_aurocs("mnist").ocgan.mean()]
    ), "not as OCGAN's paper has digit 2"
    (left,) = figures.compared_chart({"MNIST": board}).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["OCGAN"]
    assert left.lines[0].get_xdata()[0] == pytest.approx(0.8), "the floor"


def test_an_identity_that_looks_like_a_number_stays_one(tmp_path):
    path = tmp_path / "one.csv"
    row = scoreboard.stored("literal").iloc[[0]].assign(config_hash="87619990e401", data="1e5")
    row.to_csv(path, index=False)
    assert scoreboard.stored("one", tmp_path).config_hash.tolist() == ["87619990e401"]
    assert scoreboard.stored("one", tmp_path).data.tolist() == ["1e5"]
