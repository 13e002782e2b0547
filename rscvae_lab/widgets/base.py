"""What all widgets share: controls over a picture that a pure function draws anew at every change.

Pictures go through `ipywidgets.Image`, which notebook runners and browsers can check, and not through captured output.
"""

import html
import logging
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from rscvae_lab.errors import InputError
from rscvae_lab.figures.panels import png

Draw = Callable[..., tuple[Figure, str]]

WIDE = {"description_width": "initial"}


def empty_picture() -> ipywidgets.Image:
    """Hidden until something is shown in it, or a browser would show it as broken."""
    # without align_self a box stretches pictures to its full width, blurred
    return ipywidgets.Image(format="png", layout={"align_self": "flex-start", "display": "none"})


def show(picture: ipywidgets.DOMWidget, figure: Figure) -> None:
    """Puts a figure into a picture widget, as PNG."""
    picture.value, picture.layout.display = png(figure), None


class Panel(ipywidgets.VBox):
    """Controls, a picture and a line of text: `draw(**values) -> (figure, text)`, `values` by the controls' names.

    An error in `draw` is shown in red, for a widget's callback would swallow it, and the last good picture stays.

    Attributes:
        controls: by name; setting a control's `value` in Python redraws as moving it in the browser does.
        picture, text, error: widgets that hold the PNG, HTML, and what went wrong (empty: nothing did).
    """

    def __init__(self, draw: Draw, controls: Mapping[str, ipywidgets.ValueWidget],
                 picture: ipywidgets.DOMWidget | None = None):
        self.draw, self.controls = draw, dict(controls)
        self.picture = picture or empty_picture()
        self.text, self.error = ipywidgets.HTML(), ipywidgets.HTML()
        layout = {"flex_flow": "row wrap", "grid_gap": "0 1.5rem"}
        row = ipywidgets.HBox(list(self.controls.values()), layout=layout)
        super().__init__([row, self.error, self.picture, self.text])
        for control in self.controls.values():
            control.observe(lambda change: self.redraw(), "value")
        self.redraw()

    def redraw(self) -> None:
        """Draws the picture of the controls' values."""
        with self.showing_errors():
            figure, text = self.draw(**{name: control.value for name, control in self.controls.items()})
            show(self.picture, figure)
            self.text.value = text

    def showing_errors(self) -> "ShownErrors":
        """A context whose errors are shown in red instead of being raised."""
        return ShownErrors(self.error)


class ShownErrors:
    def __init__(self, place: ipywidgets.HTML):
        self.place = place

    def __enter__(self) -> None:
        self.place.value = ""

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> bool:
        if not isinstance(error, Exception):
            return False
        message = html.escape(" ".join(str(error).split()) or "no message")
        if not isinstance(error, InputError):
            logging.getLogger(__name__).exception("a widget's callback failed", exc_info=error)
        colour = "var(--jp-error-color1, #c53030)"  # follows JupyterLab's theme
        self.place.value = f'<span style="color: {colour}"><b>{kind.__name__}:</b> {message}</span>'
        return True


def slider(name: str, value: float, low: float, high: float, step: float) -> ipywidgets.ValueWidget:
    """A slider of whole numbers where `step` is one, of real numbers otherwise."""
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    return kind(value, min=low, max=high, step=step, description=name, style=WIDE, layout={"width": "26rem"})


def dropdown(name: str, options: Any, value: Any = None) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=options, description=name, style=WIDE, layout={"width": "max-content"},
                               **({} if value is None else {"value": value}))
