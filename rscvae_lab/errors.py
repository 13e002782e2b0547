"""What the package raises for its users to read."""


class InputError(ValueError):
    """A mistake that its maker can correct; one line says what was expected and what was found.

    The command line prints it and exits with status 2; a notebook shows it without a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of the traceback, in Jupyter and under papermill."""
        return [f"{type(self).__name__}: {self}"]


class NotebookFailed(Exception):
    """A notebook's cell failed through no mistake of the user; the message says where to look."""


class TrainingStopped(Exception):
    """A callback ended a training early; its state is saved, and `resume` continues it."""
