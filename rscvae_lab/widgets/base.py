"""What all widgets share: controls, and an image that a pure function redraws at every change.

The image is an `ipywidgets.Image`, which nbval and browsers can check, unlike captured output.
"""

import html
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from rscvae_lab.errors import InputError
from rscvae_lab.figures import png
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import code
from rscvae_lab.widgets.behind import Behind

Draw = Callable[..., tuple[Figure, str]]
TALLEST = "calc(100vh - 14rem)"  # of an image: JupyterLab and the controls above it stay in sight


def empty_image() -> ipywidgets.Image:
    """An image widget, hidden until `show` fills it: browsers show an empty one as broken."""
    # without align_self a box stretches images to its full width, blurred
    return ipywidgets.Image(format="png", layout={"align_self": "flex-start", "display": "none",
                                                  "max_width": "100%", "max_height": TALLEST})


def show(image: ipywidgets.DOMWidget, figure: Figure) -> None:
    """Puts a figure into an image widget, as PNG."""
    image.value, image.layout.display = png(figure), None


def inputs_and_outputs(model: VAE, images: Tensor) -> dict[str, np.ndarray]:
    """Rows for `figures.live`: test images, and what the network draws of them; none of none."""
    if not len(images):
        return {}
    return {"test": images.numpy(), "output": code(model, images).x_hat.numpy()}


@contextmanager
def errors_shown_in(place: ipywidgets.HTML) -> Iterator[None]:
    """Shows an error in red instead of raising it: ipywidgets would swallow it in a callback."""
    place.value = ""
    try:
        yield
    except Exception as error:
        if not isinstance(error, InputError):
            logging.getLogger(__name__).exception("a widget's callback failed")
        message = html.escape(" ".join(str(error).split()) or "no message")
        colour = "var(--jp-error-color1, #c53030)"  # follows JupyterLab's theme
        place.value = (f'<span style="color: {colour}"><b>{type(error).__name__}:</b> '
                       f"{message}</span>")


class Panel(ipywidgets.VBox):
    """Controls, and the image and the text that `draw(**values) -> (figure, text)` makes of their
    values; where it fails, the error is shown and the last image stays. While the image is behind
    its controls, a line beside them says so. `controls` are by name; setting a `value` in Python
    redraws, as in the browser. `image`, `text` and `error` are widgets that hold the PNG, HTML,
    and the error (empty: none)."""

    def __init__(self, draw: Draw, controls: Mapping[str, ipywidgets.ValueWidget],
                 image: ipywidgets.DOMWidget | None = None):
        self.draw, self.controls, self.image = draw, dict(controls), image or empty_image()
        self.text, self.error = ipywidgets.HTML(), ipywidgets.HTML()
        layout = {"flex_flow": "row wrap", "grid_gap": "0 1.5rem"}
        self._behind, self._changing = Behind(list(self.controls.values())), False
        row = ipywidgets.HBox([*self.controls.values(), self._behind], layout=layout)
        super().__init__([row, self.error, self.image, self.text])
        for control in self.controls.values():
            control.observe(lambda change: self.redraw(), "value")
        self.redraw()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Values set in here draw nothing."""
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    def narrow(self) -> None:
        """Restricts controls to what the values of others leave; here none."""

    def redraw(self) -> None:
        """Narrows the controls, then draws their values: once, whatever values that changes."""
        if self._changing:
            return
        with self._behind.drawing(), errors_shown_in(self.error):
            with self.changing():
                self.narrow()
            values = {name: control.value for name, control in self.controls.items()}
            figure, text = self.draw(**values)
            show(self.image, figure)
            self.text.value = text


def slider(name: str, value: float, low: float, high: float, step: float
           ) -> ipywidgets.ValueWidget:
    """A slider of integers where `step` is an int, of real numbers otherwise, with all decimals of
    the step."""
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    n_decimals = len(f"{step:g}".partition(".")[2])
    return kind(value, min=low, max=high, step=step, description=name,
                readout_format=f".{n_decimals}f" if n_decimals else "d",
                layout={"width": "26rem", "max_width": "100%"},
                style={"description_width": "initial"})


def dropdown(name: str, options: Any, value: Any = None) -> ipywidgets.Dropdown:
    chosen = {} if value is None else {"value": value}
    return ipywidgets.Dropdown(options=options, description=name, layout={"width": "max-content"},
                               style={"description_width": "initial"}, **chosen)
