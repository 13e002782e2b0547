"""The command line, `rscvae`: what each command takes, and which part of the package does the work."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from rscvae_lab.errors import InputError, NotebookFailed

_EPOCHS = "default: digits 60, MNIST and Fashion-MNIST 10, pictures 30; at paper scale 500, pictures 200"
_DATASETS = "digits (default), mnist, fashion_mnist, mvtec_ad, synthetic or folder"


class _Parser(argparse.ArgumentParser):
    """Mistakes in one line, like every other mistake."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def command_line() -> argparse.ArgumentParser:
    whole = _Parser(prog="rscvae", description="RSC-VAE: train, score and rerun. Mistakes end in one line, exit 2.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_train(commands)
    _add_sweep(commands)
    _add_score(commands)
    _add_rerun(commands)
    _add_run(commands)
    _add_regions(commands)
    _add_notebooks(commands)
    _add_data(commands)
    _add_bench(commands)
    return whole


def _add_training_options(parser: argparse.ArgumentParser, seed: bool = True) -> None:
    parser.add_argument("--dataset", default="digits", help=_DATASETS)
    parser.add_argument("--category", default="8", help="the normal class: number, name or slug")
    parser.add_argument("--epochs", type=int, help=_EPOCHS)
    if seed:
        parser.add_argument("--seed", type=int, default=0)


def _add_train(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("train", help="train one model and leave a run folder")
    _add_training_options(parser)
    parser.add_argument("--mode", default="o", help="vae (= recode_vae), o, d, e, or a compared method: pca, ae, ...")
    parser.add_argument("--out", help="the run's folder (default: under runs/, named after the run)")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    _add_settings(parser)
    parser.set_defaults(command=_train)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--scale", default="lesson", help="lesson or paper")
    parser.add_argument("--root", default="", help="of data set folder: where its categories lie")
    parser.add_argument("--image-size", type=int, help="pixels a side (default: 32, of industrial pictures 256)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="any field of config.json; repeatable")


def _train(chosen: argparse.Namespace) -> None:
    from rscvae_lab.config import Config
    from rscvae_lab.config.text import parse_settings
    from rscvae_lab.storage.files import runs_root
    from rscvae_lab.trainers import train

    options = {name: getattr(chosen, name) for name in
               ("dataset", "category", "mode", "epochs", "seed", "device", "scale", "image_size", "root")}
    config = Config(**options | parse_settings(_pairs(chosen.set)))
    chosen.out = chosen.out or str(runs_root() / "-".join(
        (config.dataset, config.category, config.mode, config.config_hash)))
    finished = (Path(chosen.out) / "metrics.json").is_file()
    run = train(config, chosen.out, resume=chosen.resume, progress=None)
    figures = {name: run.metrics[name] for name in ("auroc", "auroc_recon", "auroc_mut", "auroc_best", "s_a")}
    shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items() if value is not None)
    shown = shown or _no_auroc(run.metrics)
    print(f"{'already finished, left as it is' if finished else 'finished'}: {run.folder}\n{shown}")


def _no_auroc(metrics: dict[str, Any]) -> str:
    return f"no AUROC: {metrics['n_test_normal']} normal and {metrics['n_test_novel']} novel test images"


def _add_sweep(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("sweep", help="train categories x methods x seeds into one table")
    parser.add_argument("--dataset", default="digits", help=_DATASETS)
    parser.add_argument("--categories", default="all", help="numbers, names or slugs, separated by commas; or all")
    parser.add_argument("--methods", default="vae,o,d,e", help="vae (= recode_vae), o, d, e, pca, ae, ...")
    parser.add_argument("--seeds", default="0", help="for example 0,1,2")
    parser.add_argument("--out", required=True, help="the CSV to add rows to; the runs are left beside it")
    parser.add_argument("--backend", default="loky", help="loky (default): this machine; dask: a cluster")
    parser.add_argument("--scheduler", help="the Dask cluster's address, for example tcp://host:8786")
    parser.add_argument("--jobs", type=int, help="processes on this machine (default: one a core)")
    parser.add_argument("--epochs", type=int, help=_EPOCHS)
    _add_settings(parser)
    parser.set_defaults(command=_sweep)


def _sweep(chosen: argparse.Namespace) -> int:
    from rscvae_lab.config.text import parse_settings
    from rscvae_lab.sweeps import plan, sweep

    settings = {name: getattr(chosen, name) for name in ("epochs", "device", "scale", "image_size", "root")}
    units = plan(chosen.dataset, chosen.categories, chosen.methods, chosen.seeds,
                 settings | parse_settings(_pairs(chosen.set)))
    failures = sweep(units, chosen.out, backend=chosen.backend, scheduler=chosen.scheduler, jobs=chosen.jobs)
    n_runs, n_failed = sum(map(len, units)), sum(len(failure.unit) for failure in failures)
    print(f"finished: {n_runs - n_failed} of {n_runs} runs are in {chosen.out}")
    return 1 if failures else 0


def how_to_resume(chosen: argparse.Namespace) -> str:
    if chosen.command is not _train:
        return "; run the same command again"
    where = f" (the run is in {chosen.out})" if chosen.out else ""
    return f"; go on with the same command and --resume{where}"


def _pairs(texts: list[str]) -> dict[str, str]:
    """NAME=VALUE arguments as a dictionary."""
    broken = [text for text in texts if "=" not in text]
    if broken:
        raise InputError(f"expected NAME=VALUE, found {broken[0]!r}")
    return dict(text.split("=", 1) for text in texts)


def _add_score(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("score", help="score your own pictures with a trained run")
    parser.add_argument("--run", required=True, help="a finished run's folder")
    parser.add_argument("--images", required=True, nargs="+", help="folders or picture files")
    parser.add_argument("--out", required=True, help="the CSV to write")
    parser.set_defaults(command=_score)


def _score(chosen: argparse.Namespace) -> int:
    from rscvae_lab.runs.inference import score_pictures

    table, unreadable = score_pictures(chosen.run, chosen.images, chosen.out)
    print(f"{len(table)} pictures scored, {int(table.novel.sum())} called novel: {chosen.out}")
    for message in unreadable:
        print(f"rscvae: skipped: {message}", file=sys.stderr)
    return 1 if unreadable else 0


def _add_rerun(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("rerun", help="execute a notebook with parameters (papermill, checked first)")
    parser.add_argument("notebook")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--out", required=True, help="the executed notebook to write")
    parser.set_defaults(command=_rerun)


def _rerun(chosen: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reruns import rerun

    print(f"finished: {rerun(chosen.notebook, dict(chosen.p), chosen.out)}")


def _add_run(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("run", help="the main job: the main-line notebooks for one category")
    _add_training_options(parser)
    parser.set_defaults(command=_run)


def _run(chosen: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reports import main_job

    folder = main_job(chosen.dataset, chosen.category, chosen.epochs, chosen.seed)
    print(f"finished: look at {folder / 'index.html'}")


def _add_regions(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("regions", help="where images fall in the latent regions, by mode, as a table")
    _add_training_options(parser, seed=False)
    parser.add_argument("--seeds", default="0", help="for example 0,1,2")
    parser.add_argument("--out", required=True, help="the CSV to write")
    parser.set_defaults(command=_regions)


def _regions(chosen: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reports import write_regions
    from rscvae_lab.sweeps import parse_seeds

    print(write_regions(chosen.dataset, chosen.category, chosen.epochs, parse_seeds(chosen.seeds), chosen.out))


def _add_notebooks(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("notebooks", help="regenerate every notebook's stored outputs from one clean run")
    parser.set_defaults(command=_notebooks)


def _notebooks(chosen: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.readme import rebuild

    print("regenerated: " + ", ".join(path.name for path in rebuild()))


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("data", help="fetch, verify or list data sets")
    parser.add_argument("action", choices=("fetch", "verify", "list"))
    parser.add_argument("dataset", nargs="?")
    parser.set_defaults(command=_data)


def _data(chosen: argparse.Namespace) -> None:
    from rscvae_lab import datasets
    from rscvae_lab.config import known_dataset

    if chosen.action == "list":
        print("\n".join(datasets.describe()))
        return
    if not chosen.dataset:
        raise InputError(f"rscvae data {chosen.action} expects a data set; `rscvae data list` names them")
    print(getattr(datasets, chosen.action)(known_dataset(chosen.dataset)))


def _add_bench(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("bench", help="measure training, scoring and redrawing, side by side")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each contestant in each round")
    parser.set_defaults(command=_bench)


def _bench(chosen: argparse.Namespace) -> None:
    from rscvae_lab.bench.report import bench, table

    report = bench(chosen.device, chosen.seconds)
    print(f"{table(report)}\nwritten: {report['path']}")


_STOPPED = 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Exit status: 0; 2, a user's mistake; 1, work that failed; 130, stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = argparse.Namespace(command=None)
    try:
        chosen = command_line().parse_args(arguments)
        return chosen.command(chosen) or 0
    except InputError as error:
        print(f"rscvae: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"rscvae: {error.strerror or error}: {error.filename or 'no file named'}", file=sys.stderr)
        return 2
    except NotebookFailed as error:
        print(f"rscvae: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"rscvae: stopped{how_to_resume(chosen)}", file=sys.stderr)
        return _STOPPED
