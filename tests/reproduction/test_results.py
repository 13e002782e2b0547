"""What lies in results/ and pretrained/ is what its own commands and weights say."""

import re
import sys
from dataclasses import replace

import pytest

from rscvae_lab.cli import main
from rscvae_lab.config import IMAGE_FOLDERS
from rscvae_lab.config.schema import RECIPE
from rscvae_lab.datasets import load_split
from rscvae_lab.methods import FLOORS, METHOD_NAMES, MODES, row_of
from rscvae_lab.reproduction import claims, readme, scoreboard
from rscvae_lab.reproduction.printed import printed_aurocs
from rscvae_lab.runs import METRIC_NAMES, Run
from rscvae_lab.runs.evaluation import evaluate
from rscvae_lab.storage.files import project_root

pytestmark = pytest.mark.slow

TABLES = (
    "floors",
    "literal",
    "literal_gpu",
    "anomalies_literal",
    "batch_norm",
    "search_literal",
    "reduction",
    "float32",
    "length",
    "length_j4",
    "digits",
    "mnist",
    "fashion_mnist",
    "anomalies",
    "search",
    "table3",
    "parts_search",
    "synthetic",
    "rivals",
    "rivals_search",
)
SHIPPED = project_root() / "pretrained" / "mnist-5"
FOLDERS = (*MODES, "e_all")


@pytest.fixture(params=TABLES)
def table(request):
    return scoreboard.stored(request.param)


def test_the_command_of_every_row_makes_its_config(table, monkeypatch):
    made = []
    monkeypatch.setattr(
        "rscvae_lab.trainers.train", lambda config, *_, **__: made.append(config) or sys.exit(0)
    )
    for row in table.dropna(subset="command").itertuples():  # a script's losses have none
        with pytest.raises(SystemExit):
            main(row.command.split()[1:])
        config = made.pop()
        # an ensemble's command trains its model alone, older rows say so, and the fingerprint of
        # image files is taken where they are
        data = row.data if isinstance(row.data, str) else ""
        config = replace(config, stack=row.stack, recipe=row.recipe, data=data)
        assert (config.config_hash, config.category, config.seed) == (
            row.config_hash,
            row.category,
            row.seed,
        )
        assert row.method in (
            (config.mode, "recode_vae") if config.mode == "vae" else (config.mode,)
        )


def test_every_row_is_there_once_and_has_its_figures(table):
    assert not table.duplicated(["config_hash", "method"]).any()
    labelled = ~table.dataset.isin(IMAGE_FOLDERS)
    # older industrial rows had nothing to validate on
    validated = table[labelled | (table.test_without > 0)]
    assert validated.auroc_validation.between(0.1, 1).all()
    assert (
        table.auroc[labelled].between(0.2, 1).all() and table.auroc[~labelled].between(0, 1).all()
    )
    assert (table.auroc_best >= table.auroc - 1e-4).all(), (
        "the result epoch is among those the oracle chooses from"
    )
    assert table.commit.notna().all()
    assert not table.commit.str.endswith("dirty").any(), "a figure of code that is in no commit"


def test_the_scoreboards_know_every_class_and_method():
    for dataset in ("mnist", "fashion_mnist"):
        board = scoreboard.scoreboard(scoreboard.both_bases(dataset))
        assert list(board.index) == list(scoreboard.METHODS)
        assert (board.n_seeds >= 1).all()


@pytest.mark.parametrize("dataset", ("mnist", "fashion_mnist"))
def test_each_column_that_the_paper_prints_has_one_of_ours_beside_it(dataset):
    board = scoreboard.compared(dataset)
    printed = set(printed_aurocs(dataset)) - set(scoreboard.METHODS)
    ours = board.xs("ours", level=1)
    assert set(ours.index) - set(scoreboard.READINGS) == printed | set(FLOORS)
    assert ours.notna().drop(columns=["spread", *scoreboard.COST]).all(axis=None)
    for cost in scoreboard.COST:
        assert ours.index[ours[cost].isna()].tolist() == list(FLOORS)


def test_the_readme_says_what_the_tables_say():
    """`make notebooks` writes it there."""
    text = (project_root() / "README.md").read_text("utf-8")
    expected = {"claims": readme.headlines(claims.stored_claims()), "scoreboard": readme.tables()}
    for name, content in expected.items():
        first, last = (mark.format(name) for mark in readme.MARKS)
        assert re.search(f"{first}\n(.*)\n{last}", text, re.DOTALL)[1] == content


def test_the_report_says_what_the_claims_say():
    written = (project_root() / "results" / "REPORT.md").read_text("utf-8")
    assert written == readme.report(claims.stored_claims())


@pytest.mark.parametrize("name, reading", {"length": "", "length_j4": ", J/4"}.items())
def test_the_report_has_the_trainings_of_500_epochs(name, reading):
    """Its lines come from the histories, these rows from the runs' metrics."""
    lines = (project_root() / "results" / "REPORT.md").read_text("utf-8").splitlines()
    for row in scoreboard.stored(name).query("method != 'vae'").itertuples():
        label = METHOD_NAMES[row_of(row.method, {"anomaly_base": row.anomaly_base})] + reading
        start = f"| {readme.DATASETS[row.dataset]}, {row.category} | {label} | "
        (line,) = [line for line in lines if line.startswith(start)]
        result, last, best = line.split(" | ")[-3:]
        measured = [float(text) for text in (result, last, best[:5])]
        expected = [row.auroc, row.auroc_final, row.auroc_best]
        assert measured == pytest.approx(expected, abs=5.1e-4)  # rounded to three digits


def test_shipped_weights_are_small_and_complete():
    for name in FOLDERS:
        run = Run.load(SHIPPED / name)
        found = (run.config.row, run.config.dataset, run.config.category)
        assert found == (name, "mnist", "5")
        assert run.config.recipe == RECIPE
        assert (run.folder / "weights.safetensors").stat().st_size < 2_000_000
        assert not run.metrics["commit"].endswith("dirty")


@pytest.mark.real_data
@pytest.mark.parametrize("name", FOLDERS)
def test_shipped_metrics_follow_from_the_weights(name):
    """Measured anew on the real test images; other CPUs round differently."""
    run = Run.load(SHIPPED / name)
    scores, metrics, _ = evaluate(run.model, load_split(run.config), run.config)
    for figure in METRIC_NAMES:
        if isinstance(metrics.get(figure), float):
            assert metrics[figure] == pytest.approx(run.metrics[figure], abs=2e-3), figure
    assert len(scores) == run.metrics["n_test_normal"] + run.metrics["n_test_novel"]
