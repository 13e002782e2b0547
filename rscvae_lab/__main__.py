"""The command line: `rscvae`, the same as `python -m rscvae_lab`. Thin; the work is in the package."""

import argparse
import os
import signal
import sys

from rscvae_lab.commands import command_line, how_to_resume
from rscvae_lab.errors import InputError, NotebookFailed

_STOPPED = 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Exit status: 0; 2, a user's mistake; 1, work that failed; 130, stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # before torch is loaded; see the Makefile
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


if __name__ == "__main__":
    sys.exit(main())
