"""The semantic-deviation explorer: maps of codes by method, whose points can be clicked."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from rscvae_lab import figures
from rscvae_lab.analysis.atlas import Atlas, require_same_images
from rscvae_lab.methods import METHOD_NAMES
from rscvae_lab.widgets.base import Panel, dropdown, errors_shown_in, slider
from rscvae_lab.widgets.clickable import ClickableImage

COLOURINGS = {"normal or novel": "group", "class": "category", "region": "region",
              "information (nats)": "l_enc1", "novelty score": "novelty_score"}
NEAR = 0.3  # inches from a click to the nearest point; farther clicks choose nothing


class DeviationExplorer(Panel):
    """Maps of the same images by each method; a click on a point, or the slider, chooses an image.

    Args:
        atlases: method, or another name -> its maps, all of the same split and sample.

    Attributes:
        places: of the images in the figure, as fractions of its width and height from the lower
            left corner, (maps, N, 2).

    Raises:
        InputError: the atlases have different images.
    """

    def __init__(self, atlases: Mapping[str, Atlas]):
        self.first = require_same_images(atlases)
        self.class_names = self.first.class_names
        self.atlases = {METHOD_NAMES.get(name, name): each for name, each in atlases.items()}
        image = ClickableImage()
        image.observe(self._clicked, "point")
        novel = int(np.argmax(self.first.examined.frame.group == "novel"))
        controls = {"colour": dropdown("colour by", list(COLOURINGS)),
                    "perplexity": dropdown("perplexity", list(self.first.maps),
                                           self.first.usual),
                    "chosen": slider("image", novel, 0, len(self.first.images) - 1, 1)}
        super().__init__(self.show, controls, image)

    def show(self, colour: str, perplexity: int, chosen: int) -> tuple[Figure, str]:
        """The maps of a perplexity coloured by one of `COLOURINGS`, a ring around the chosen
        image, what each method makes of it, and its numbers."""
        frames, images = {}, {"input": self.first.images[chosen].numpy()}
        for name, atlas in self.atlases.items():
            frames[name], name = atlas.at(perplexity), name.removesuffix(" anomalies")
            images[f"{name}:\noutput"] = atlas.examined.coding.x_hat[chosen].numpy()
            images[f"{name}:\nof 2nd code"] = atlas.examined.x_re[chosen].numpy()
        figure, self.places = figures.deviation(frames, COLOURINGS[colour], colour, chosen, images,
                                                self.class_names)
        self._inches = figure.get_size_inches()
        return figure, self._numbers(chosen)

    def _numbers(self, chosen: int) -> str:
        row = self.first.examined.frame.iloc[chosen]
        kind = {"train": "a training image", "normal": "a normal test image",
                "novel": "a novel test image"}[row.group]
        lines = [f"image {chosen}: {kind}, class {self.class_names[row.category]}"]
        for name, atlas in self.atlases.items():
            row = atlas.examined.frame.iloc[chosen]
            lines.append(f"{name}: <b>{row.region} region</b>, information "
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
