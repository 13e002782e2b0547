"""The command line, `rscvae`: `arguments.py` has how each command is called, `commands.py` what it
does, this file what becomes of its errors."""

import argparse
import io
import os
import signal
import sys

from rscvae_lab.cli.arguments import command_line
from rscvae_lab.cli.commands import resume_hint, say
from rscvae_lab.errors import InputError, NotebookFailed


def _is_out_of_memory(error: Exception) -> bool:
    """Torch has no exception of its own for the memory of a CPU."""
    return isinstance(error, MemoryError) or "out of memory" in str(error) or (
        "can't allocate memory" in str(error))


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Exit status: 0; 2, a user's mistake; 1, work that failed, or output
    that nobody reads; 130, stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names that a console of cp1252 cannot show
            stream.reconfigure(errors="backslashreplace")
    args = argparse.Namespace(command=None)
    try:
        args = command_line().parse_args(arguments)
        status = args.command(args) or 0
        sys.stdout.flush()
        return status
    except (InputError, NotebookFailed) as error:
        say(error)
        return 2 if isinstance(error, InputError) else 1
    except BrokenPipeError:  # the reader of the output, `head` say, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        reason, file = error.strerror or error, error.filename or "no file named"
        say(f"{reason}: {file}")
        return 2
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        print(f"rscvae: memory is short: {' '.join(str(error).split())[:200]}; try a smaller "
              "batch_size, image_size or widths", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say(f"stopped; {resume_hint(args)}")
        return 130
