"""What the package raises, or prints on the way, for its users to read."""

import sys
import unicodedata
from functools import cache


class InputError(ValueError):
    """A mistake that its maker can correct; one line says what was expected and what was found.
    The command line prints it and exits with status 2; a notebook shows it without a traceback.

    >>> from rscvae_lab import Config
    >>> try:
    ...     Config(mode="f")
    ... except InputError as error:
    ...     print(error)
    unknown mode 'f': expected one of vae, o, d, e, ...
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of the traceback, in Jupyter and under papermill."""
        return [f"{type(self).__name__}: {self}"]


class NotebookFailed(Exception):
    """A notebook's cell failed through no mistake of the user; the message says where to look."""


class TrainingStopped(Exception):
    """A callback interrupted a training. The state of a VAE is saved, and `resume` continues it; a
    compared method begins again."""


def one_line(message: object) -> str:
    """A message in one line, whatever is in the file names that it contains."""
    return "".join(repr(char)[1:-1] if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
                   for char in str(message))


@cache
def warn_once(message: str) -> None:
    """Says on stderr, once, what the user should know though the work goes on."""
    print(f"rscvae: {one_line(message)}", file=sys.stderr)
