"""The semantic-deviation explorer: maps of codes by method, whose points can be clicked."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure

from rscvae_lab import figures
from rscvae_lab.analysis.atlas import Atlas
from rscvae_lab.config import CATEGORIES
from rscvae_lab.errors import InputError
from rscvae_lab.methods import METHOD_NAMES
from rscvae_lab.widgets.base import Panel, dropdown, errors_shown_in, slider
from rscvae_lab.widgets.clickable import ClickableImage

COLOURINGS = {"normal or novel": "group", "class": "category", "region": "region",
              "information (nats)": "l_enc1", "novelty score": "novelty_score"}
NEAR = 0.3  # inches from a click to the nearest point; farther clicks choose nothing


class DeviationExplorer(Panel):
    """Maps of the same images by each method; a click on a point, or the slider, chooses an image.
    `atlases` maps methods to their maps, all of the same split and sample. `places`, (maps, N, 2),
    are those of the images in the figure, as fractions of its width and height from the lower left
    corner. Raises InputError where the atlases have different images."""

    def __init__(self, atlases: Mapping[str, Atlas]):
        self.atlases, self.first = dict(atlases), next(iter(atlases.values()))
        if not all(torch.equal(atlas.images, self.first.images) for atlas in atlases.values()):
            raise InputError("expected maps of the same images, found others: make all from one "
                             "split, size and seed")
        self._class_names = CATEGORIES[self.first.survey.run.config.dataset]
        image = ClickableImage()
        image.observe(self._clicked, "point")
        novel = int(np.argmax(self.first.frame.group == "novel"))
        controls = {"colour": dropdown("colour by", list(COLOURINGS)),
                    "chosen": slider("image", novel, 0, len(self.first.images) - 1, 1)}
        super().__init__(self.show, controls, image)

    def show(self, colour: str, chosen: int) -> tuple[Figure, str]:
        """The maps coloured by one of `COLOURINGS`, a ring around the chosen image, each method's
        outputs for it, and its numbers."""
        frames, images = {}, {"input": self.first.images[chosen].numpy()}
        for method, atlas in self.atlases.items():
            name, examined = METHOD_NAMES[method], atlas.examined
            frames[name] = atlas.frame
            images[f"{name}:\nreconstruction"] = examined.coding.x_hat[chosen].numpy()
            images[f"{name}:\nfrom the second code"] = examined.x_re[chosen].numpy()
        figure, self.places = figures.deviation(frames, COLOURINGS[colour], colour, chosen, images,
                                                self._class_names)
        self._inches = figure.get_size_inches()
        return figure, self._numbers(chosen)

    def _numbers(self, chosen: int) -> str:
        row = self.first.frame.iloc[chosen]
        kind = {"train": "a training image", "normal": "a normal test image",
                "novel": "a novel test image"}[row.group]
        lines = [f"image {chosen}: {kind}, class {self._class_names[row.category]}"]
        for method, atlas in self.atlases.items():
            row = atlas.frame.iloc[chosen]
            lines.append(f"{METHOD_NAMES[method]}: <b>{row.region} region</b>, information "
                         f"{row.l_enc1:.1f} nats, distance {row.distance:.2f}, l_recon "
                         f"{row.l_recon:.1f}, l_mut {row.l_mut:.2f}, novelty score "
                         f"{row.novelty_score:.2f}")
        return f'<div style="line-height: 1.5">{"<br>".join(lines)}</div>'

    def _clicked(self, change: dict) -> None:
        with errors_shown_in(self.error):
            x, y, _ = change["new"]
            offsets = (self.places - np.array([x, 1 - y])) * self._inches
            distances = np.linalg.norm(offsets, axis=-1).min(0)
            if distances.min() < NEAR:
                self.controls["chosen"].value = int(distances.argmin())
