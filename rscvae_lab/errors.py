"""The one exception that a user's mistake raises."""


class InputError(ValueError):
    """A mistake its maker can put right. The message is one line: what was expected, and what was found.

    The command line prints it and exits with status 2; notebooks show it as the last line of the traceback.
    """
