"""The semantic-deviation explorer: the map of codes under several methods; click a point to see what it is."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure

from rscvae_lab.analysis.atlas import Atlas
from rscvae_lab.config import CATEGORIES
from rscvae_lab.errors import InputError
from rscvae_lab.figures import panels
from rscvae_lab.figures.plots import METHOD_NAMES
from rscvae_lab.widgets.base import Panel, dropdown, slider
from rscvae_lab.widgets.clickable import ClickablePicture

COLOURINGS = {"normal or novel": "group", "class": "category", "region": "region", "information (nats)": "l_enc1",
              "novelty score": "novelty_score"}
NEAR = 0.3  # inches: how far from a point a click still means it


class DeviationExplorer(Panel):
    """Maps of the same images under each method; a click on a point, or the slider, chooses an image.

    Args:
        atlases: method -> its map, all of the same split and sample.

    Raises:
        InputError: they show different images.
    """

    def __init__(self, atlases: Mapping[str, Atlas]):
        self.atlases, self.first = dict(atlases), next(iter(atlases.values()))
        if not all(torch.equal(atlas.images, self.first.images) for atlas in atlases.values()):
            raise InputError("expected maps of the same images, found others: give all one split, size and seed")
        picture = ClickablePicture()
        picture.observe(self._clicked, "point")
        novel = int(np.argmax(self.first.frame.group == "novel"))
        controls = {"colour": dropdown("colour by", list(COLOURINGS)),
                    "chosen": slider("image", novel, 0, len(self.first.images) - 1, 1)}
        super().__init__(self.show, controls, picture)

    def show(self, colour: str, chosen: int) -> tuple[Figure, str]:
        """The maps coloured by one of `COLOURINGS`, the chosen image ringed, drawn by each method, and its numbers."""
        frames = {METHOD_NAMES[method]: atlas.frame for method, atlas in self.atlases.items()}
        pictures = {"input": self.first.images[chosen].numpy()}
        for method, atlas in self.atlases.items():
            pictures[f"{METHOD_NAMES[method]}:\nreconstruction"] = atlas.examined.coding.x_hat[chosen].numpy()
            pictures[f"{METHOD_NAMES[method]}:\nfrom the second code"] = atlas.examined.x_re[chosen].numpy()
        figure, self._places = panels.deviation(frames, COLOURINGS[colour], colour, chosen, pictures, self.names)
        self._inches = figure.get_size_inches()
        return figure, self._numbers(chosen)

    @property
    def names(self) -> tuple[str, ...]:
        return CATEGORIES[self.first.survey.run.config.dataset]

    def _numbers(self, chosen: int) -> str:
        row = self.first.frame.iloc[chosen]
        kind = {"train": "a training image", "normal": "a normal test image", "novel": "a novel test image"}[row.group]
        lines = [f"image {chosen}: {kind}, class {self.names[row.category]}"]
        for method, atlas in self.atlases.items():
            row = atlas.frame.iloc[chosen]
            lines.append(f"{METHOD_NAMES[method]}: <b>{row.region} region</b>, information {row.l_enc1:.1f} nats, "
                         f"distance {row.distance:.2f}, l_recon {row.l_recon:.1f}, l_mut {row.l_mut:.2f}, "
                         f"novelty score {row.novelty_score:.2f}")
        return f'<div style="line-height: 1.5">{"<br>".join(lines)}</div>'

    def _clicked(self, change: dict) -> None:
        with self.showing_errors():
            x, y, _ = change["new"]
            away = np.linalg.norm((self._places - np.array([x, 1 - y])) * self._inches, axis=-1).min(0)
            if away.min() < NEAR:
                self.controls["chosen"].value = int(away.argmin())
