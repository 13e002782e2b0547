"""The command line, `rscvae`: the arguments of each command, and the call that does its work.

Imports stand inside the commands, so that `rscvae --help` need not load torch.
"""

import argparse
import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from rscvae_lab import __version__
from rscvae_lab.errors import InputError, NotebookFailed, one_line

_EPOCHS = ("default: digits 60, MNIST and Fashion-MNIST 10, industrial images 30; at paper scale "
           "500, industrial images 200")
_DATASETS = "digits (default), mnist, fashion_mnist, mvtec_ad, synthetic or folder"
_DEVICES = "auto, cpu or cuda; RSCVAE_DEVICE is the default"
_SEEDS = "for example 0,1,2"
_CSV = "the CSV to write"


class _Parser(argparse.ArgumentParser):
    """Reports mistakes in one line, like the rest of the program; -1e-3 is a value."""

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self._negative_number_matcher = re.compile(r"-\.?\d|-inf|-nan")  # as Python 3.14 has it

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def command_line() -> argparse.ArgumentParser:
    parser = _Parser(prog="rscvae", description="RSC-VAE: train, score and rerun. A mistake is "
                     "reported in one line, with exit status 2.")
    parser.add_argument("--version", action="version", version=f"rscvae {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, run: Callable[..., int | None], help: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help)
        command.set_defaults(command=run)
        return command

    _add_training(add)
    _add_others(add)
    return parser


def _add_training(add: Callable[..., argparse.ArgumentParser]) -> None:
    train = add("train", _train, "train one model and leave a run folder")
    _add_class_options(train)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--mode", default="o",
                       help="vae (= recode_vae), o, d, e, or a compared method: pca, ae, ...")
    train.add_argument("--out", help="the run's folder (default: in runs/, named after the run)")
    train.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    train.add_argument("--verbose", action="store_true",
                       help="one line an epoch where stderr is no terminal, which shows a bar")
    sweep = add("sweep", _sweep, "train categories x methods x seeds into one table")
    sweep.add_argument("--dataset", default="digits", help=_DATASETS)
    sweep.add_argument("--categories", default="all",
                       help="numbers, names or slugs, separated by commas, in double quotes where "
                       "they have one; or all")
    sweep.add_argument("--methods", default="vae,o,d,e", help="as --mode, separated by "
                       "commas; e_all is e with --set anomaly_base=training_set")
    sweep.add_argument("--seeds", default="0", help=_SEEDS)
    sweep.add_argument("--out", required=True,
                       help="the CSV to add rows to; the runs are left beside it")
    sweep.add_argument("--backend", default="loky",
                       help="loky (default): this machine; dask: a cluster")
    sweep.add_argument("--scheduler", help="the Dask cluster's address: tcp://host:8786")
    sweep.add_argument("--jobs", type=int, help="processes here (default: one per core)")
    sweep.add_argument("--stack", type=int, default=40,
                       help="models that train side by side on a GPU (default: 40)")
    _add_common_options(sweep)
    for parser in (train, sweep):
        parser.add_argument("--device", default="auto", help=_DEVICES)
        parser.add_argument("--scale", default="lesson", help="lesson or paper")
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                            help="any field of config.json; repeatable")


def _add_others(add: Callable[..., argparse.ArgumentParser]) -> None:
    score = add("score", _score, "score your own images with a trained run")
    score.add_argument("--run", required=True, help="a finished run's folder, or one that comes "
                       "with the package: pretrained/mnist-5/e")
    score.add_argument("--images", required=True, nargs="+", help="folders or image files")
    score.add_argument("--out", required=True, help=_CSV)
    score.add_argument("--pictures", metavar="DIR", help="a folder for a PNG of each image, with "
                       "its reconstruction, error map, score and decision")
    rerun = add("rerun", _rerun, "execute a notebook with other parameters (papermill)")
    rerun.add_argument("notebook", help="a file, or one of the course: 07_semantic_deviation")
    rerun.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    rerun.add_argument("--out", required=True, help="the executed notebook to write")
    run = add("run", _run, "the main job: the main-line notebooks for one category")
    _add_class_options(run)
    run.add_argument("--seed", type=int, default=0)
    for parser in (rerun, run):
        parser.add_argument("--device", help=_DEVICES)
    regions = add("regions", _regions, "the latent regions that images fall into, by mode")
    _add_class_options(regions)
    regions.add_argument("--seeds", default="0", help=_SEEDS)
    regions.add_argument("--out", required=True, help=_CSV)
    atlas = add("atlas", _atlas, "maps of the codes of runs on one class (Fig. 7), as a table")
    atlas.add_argument("runs", nargs="+", metavar="RUN", help="finished runs' folders")
    atlas.add_argument("--points", type=int, default=300, help="at most, of each group")
    atlas.add_argument("--out", required=True, help=_CSV + "; the images lie beside it")
    claims = add("claims", _claims, "each claim of the paper: printed, recomputed, ours, verdict")
    claims.add_argument("--write", action="store_true",
                        help="store them in results/claims.csv; else compare with it")
    notebooks = add("notebooks", _notebooks, "regenerate every notebook's stored outputs, or copy "
                    "the course out of an installed package")
    notebooks.add_argument("--copy", metavar="DIR", help="the folder to copy the notebooks into")
    explore = add("explore", _explore, "the course's instruments as a page, without a kernel")
    explore.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: a free one)")
    explore.add_argument("--no-browser", action="store_true", help="serve it, do not open it")
    explore.add_argument("--out", metavar="DIR", help="write the page here, for any static server")
    explore.add_argument("--calibrate", nargs="+", metavar="RUN", help="store the regions of "
                         "these runs beside their weights, as the page reads them")
    add("doctor", _doctor, "what works here, what does not, and what to do")
    data = add("data", _data, "fetch, verify or list data sets")
    data.add_argument("action", choices=("fetch", "verify", "list"))
    data.add_argument("dataset", nargs="?")
    bench = add("bench", _bench, "measure training, scoring and redrawing beside plain loops")
    bench.add_argument("--device", default="auto", help=_DEVICES)
    bench.add_argument("--seconds", type=float, default=1.0, help="per contestant and round")


def _add_class_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", default="digits", help=_DATASETS)
    parser.add_argument("--category", help="the normal class: number, name or slug (default: 8; "
                        "of data set folder, its only subfolder)")
    _add_common_options(parser)


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, help=_EPOCHS)
    parser.add_argument("--root", default="",
                        help="for data set folder: the folder that holds its categories")
    parser.add_argument("--image-size", type=int,
                        help="pixels per side (default: 32, for industrial images 256)")


def _name_category(args: argparse.Namespace) -> None:
    """Fills in a category that was left out, where there is one to choose."""
    from rscvae_lab.config import CATEGORIES, FOLDER, IMAGE_FOLDERS, known_dataset
    from rscvae_lab.datasets.industrial import only_category

    dataset = known_dataset(args.dataset)
    if args.category is not None:
        return
    if dataset == FOLDER and args.root:
        args.root, args.category = only_category(args.root)
        return
    names = CATEGORIES.get(dataset, ("?",))  # of a folder without a root, the config complains
    if dataset in IMAGE_FOLDERS and len(names) > 1:
        raise InputError(f"expected --category, one of {', '.join(names)}, found none")
    args.category = "8" if dataset not in IMAGE_FOLDERS else names[0]


def _settings(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Fields of a config: these options, and the pairs of --set."""
    from rscvae_lab.config.text import parse_settings

    broken = [text for text in args.set if "=" not in text]
    if broken:
        raise InputError(f"expected NAME=VALUE, found {broken[0]!r}")
    names += ("epochs", "device", "scale", "image_size", "root")
    options = {name: getattr(args, name) for name in names}
    return options | parse_settings(dict(text.split("=", 1) for text in args.set))


def _train(args: argparse.Namespace) -> None:
    from rscvae_lab.config import Config
    from rscvae_lab.runs.callbacks import print_epoch
    from rscvae_lab.storage.files import METRICS, absolute, runs_root
    from rscvae_lab.trainers import train

    _name_category(args)
    config = Config(**_settings(args, "dataset", "category", "mode", "seed"))
    places = [absolute(args.out)] if args.out else runs_root().glob("*")
    finished = {place.resolve() for place in places if (place / METRICS).is_file()}
    _print_notes({config.result_note})
    lines = [print_epoch] if args.verbose and not sys.stderr.isatty() else []
    run = train(config, args.out, resume=args.resume, progress=None, callbacks=lines)
    names = ("auroc", "auroc_recon", "auroc_mut", "auroc_best", "s_a")
    figures = ", ".join(f"{name} {run.metrics[name]:.3f}" for name in names
                        if run.metrics[name] is not None)
    state = "already finished, left as it is" if run.folder in finished else "finished"
    print(f"{state}: {run.folder}")
    print(figures or f"no AUROC: {run.metrics['n_test_normal']} normal and "
          f"{run.metrics['n_test_novel']} novel test images")
    _print_notes({run.threshold_note})


def _print_notes(notes: set[str]) -> None:
    for note in sorted(notes - {""}):
        _say(note)


def _say(message: object) -> None:
    print(f"rscvae: {one_line(message)}", file=sys.stderr)


def _resume_hint(args: argparse.Namespace) -> str:
    if args.command is not _train:
        return "run the same command again"
    place = f" (the run is in {args.out})" if args.out else ""
    return f"go on with the same command and --resume{place}"


def _sweep(args: argparse.Namespace) -> int:
    from rscvae_lab.sweeps import plan, sweep

    units = plan(args.dataset, args.categories, args.methods, args.seeds, _settings(args),
                 args.stack)
    configs = [config for unit in units for config in unit]
    _print_notes({config.result_note for config in configs})
    failures = sweep(units, args.out, backend=args.backend, scheduler=args.scheduler,
                     jobs=args.jobs)
    n_done = len(configs) - sum(len(failure.unit) for failure in failures)
    print(f"finished: {n_done} of {len(configs)} runs are in {args.out}")
    return 1 if failures else 0


def _score(args: argparse.Namespace) -> int:
    from rscvae_lab.runs import Run
    from rscvae_lab.runs.inference import score_images
    from rscvae_lab.storage.files import resource

    shipped = resource(args.run)
    run = shipped if shipped.is_dir() and not Path(args.run).exists() else args.run
    table, unreadable, left = score_images(run, args.images, args.out)
    print(f"{len(table)} images scored, {int(table.novel.sum())} called novel: {args.out}")
    _print_notes({Run.load(run).threshold_note})
    if args.pictures:
        from rscvae_lab.figures.scored import write_scored

        print(f"each as a PNG: {write_scored(run, table, args.pictures)}")
    for message in unreadable:
        _say(f"skipped: {message}")
    _say(f"{len(table)} images taken, {len(unreadable)} unreadable"
         + (f"; left out: {left}" if left else ""))
    return 1 if unreadable else 0


def _rerun(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reruns import rerun

    _use_device(args.device)
    print(f"finished: {rerun(args.notebook, dict(args.p), args.out)}")


def _use_device(device: str | None) -> None:
    """For notebooks, whose kernels inherit the environment."""
    if device:
        os.environ["RSCVAE_DEVICE"] = device


def _run(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reports import main_job

    _use_device(args.device)
    _name_category(args)
    folder = main_job(args.dataset, args.category, args.epochs, args.seed, args.root,
                      args.image_size)
    print(f"finished: look at {folder / 'index.html'}")


def _regions(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reports import write_regions
    from rscvae_lab.sweeps import parse_seeds

    _name_category(args)
    names = ("dataset", "category", "epochs", "root", "image_size")
    settings = {name: getattr(args, name) for name in names}
    print(write_regions(settings, parse_seeds(args.seeds), args.out))


def _atlas(args: argparse.Namespace) -> None:
    from rscvae_lab.analysis import atlas
    from rscvae_lab.analysis.surveys import Survey
    from rscvae_lab.runs import Run

    runs = [Run.load(folder) for folder in args.runs]
    atlases = {atlas.method_of(run.config): atlas.Atlas.of(
        Survey.of(run), args.points, perplexities=atlas.PERPLEXITIES) for run in runs}
    print(f"finished: {atlas.write(atlases, args.out)}")


def _claims(args: argparse.Namespace) -> int:
    from rscvae_lab.reproduction import claims

    found = claims.write() if args.write else claims.claims()
    print(claims.as_text(found))
    changed = claims.differences(found, claims.stored_claims())
    for line in changed:
        print(f"rscvae: results/claims.csv is out of date: {line}", file=sys.stderr)
    return 1 if changed else 0


def _notebooks(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.readme import rebuild
    from rscvae_lab.reproduction.reruns import copy_notebooks

    if args.copy:
        copies = copy_notebooks(args.copy)
        print(f"copied {len(copies)} notebooks; open the first: jupyter lab {copies[0]}")
        return
    print("regenerated: " + ", ".join(path.name for path in rebuild()))


def _doctor(_: argparse.Namespace) -> int:
    from rscvae_lab.bench.doctor import examine, works

    findings = examine()
    print(*findings, sep="\n")
    print("\nThe course works here." if works(findings) else
          "\nThe course does not work here: see BROKEN above.")
    return 0 if works(findings) else 1


def _data(args: argparse.Namespace) -> None:
    from rscvae_lab import datasets
    from rscvae_lab.config import known_dataset

    if args.action == "list":
        print("\n".join(datasets.describe()))
        return
    if not args.dataset:
        raise InputError(f"rscvae data {args.action} expects a data set; `rscvae data list` names "
                         "them")
    print(getattr(datasets, args.action)(known_dataset(args.dataset)))


def _explore(args: argparse.Namespace) -> None:
    from rscvae_lab.explorable import calibrate, explore, write_page

    for folder in args.calibrate or ():
        print(f"regions: {calibrate(folder)}")
    if args.out:
        print(f"written: {write_page(args.out)}")
    elif not args.calibrate:
        explore(args.port, not args.no_browser)


def _bench(args: argparse.Namespace) -> None:
    from rscvae_lab.bench.report import bench, table

    report = bench(args.device, args.seconds)
    print(f"{table(report)}\nwritten: {report['path']}")


def _is_out_of_memory(error: Exception) -> bool:
    """Torch has no exception of its own for the memory of a CPU."""
    return isinstance(error, MemoryError) or "out of memory" in str(error) or (
        "can't allocate memory" in str(error))


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Exit status: 0; 2, a user's mistake; 1, work that failed; 130, stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names that a console of cp1252 cannot show
            stream.reconfigure(errors="backslashreplace")
    args = argparse.Namespace(command=None)
    try:
        args = command_line().parse_args(arguments)
        return args.command(args) or 0
    except (InputError, NotebookFailed) as error:
        _say(error)
        return 2 if isinstance(error, InputError) else 1
    except OSError as error:
        reason, file = error.strerror or error, error.filename or "no file named"
        _say(f"{reason}: {file}")
        return 2
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        print(f"rscvae: memory is short: {' '.join(str(error).split())[:200]}; try a smaller "
              "batch_size, image_size or widths", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say(f"stopped; {_resume_hint(args)}")
        return 130
