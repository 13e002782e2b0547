"""What the package raises for its users to read."""


class InputError(ValueError):
    """A mistake its maker can put right. The message is one line: what was expected, and what was found.

    The command line prints it and exits with status 2; notebooks show it as the last line of the traceback.
    """


class NotebookFailed(Exception):
    """A notebook's cell failed for a reason that is no user's mistake; the message says where to look."""


class TrainingStopped(Exception):
    """A training ended early because whoever watched it said so; its state is saved, and `resume` goes on with it."""
