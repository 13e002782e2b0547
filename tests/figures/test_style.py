"""What all figures share."""

import io

import numpy as np
from PIL import Image

from rscvae_lab import figures


def test_widgets_draw_with_90_dots_an_inch_and_notebooks_store_180():
    figure = figures.canvas(5, 2)
    sizes = [Image.open(io.BytesIO(figures.png(figure, *dpi))).size for dpi in ((), (180,))]
    assert sizes == [(450, 180), (900, 360)]


def test_titles_ticks_and_labels_have_one_size():
    for figure in (figures.empty_figure(1, 1, (4, 3))[0], figures.canvas(4, 3)):
        axis = figure.axes[0] if figure.axes else figures.axes(figure, 0.1, 0.1, 0.8, 0.8)
        axis.set(title="title", xlabel="x")
        texts = [axis.title, axis.xaxis.label, *axis.get_xticklabels()]
        assert {text.get_fontsize() for text in texts} == {figures.FONT}


def test_image_rows_are_as_wide_as_the_page_at_most():
    for n in (2, 9, 16):
        figure = figures.image_rows({"row": np.zeros((n, 8, 8))}, title="title")
        assert figure.get_size_inches()[0] <= figures.WIDEST
