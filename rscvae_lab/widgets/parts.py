"""The inspector: page through industrial parts, and see what the network makes of each."""

import numpy as np
from matplotlib.figure import Figure

from rscvae_lab import NOVEL
from rscvae_lab.analysis.inspections import Inspection
from rscvae_lab.figures import parts
from rscvae_lab.widgets.base import Panel, dropdown, slider

ALL = "all kinds"


class PartInspector(Panel):
    """A kind of part to look through, one picture after the other.

    Args:
        inspection: of a finished run.
    """

    def __init__(self, inspection: Inspection):
        self.inspection = inspection
        self.top = float(np.percentile(inspection.maps, 99.9))  # the same for all parts, so that they compare
        kinds = [ALL, *dict.fromkeys(inspection.frame.kind)]
        super().__init__(self.show, {"kind": dropdown("kind", kinds), "number": slider("part", 0, 0, 1, 1)})

    def redraw(self) -> None:
        """Keeps the number within the kind, then draws."""
        number = self.controls["number"]
        last = len(self._of_kind(self.controls["kind"].value)) - 1
        if number.max != last:
            number.max = last  # a value beyond it is moved to it, which draws
        super().redraw()

    def _of_kind(self, kind: str) -> list[int]:
        kinds = self.inspection.frame.kind
        return [i for i, own in enumerate(kinds) if kind in (ALL, own)]

    def show(self, kind: str, number: int) -> tuple[Figure, str]:
        """The pictures, error map and score of one part."""
        chosen = self._of_kind(kind)[number]
        part, row = self.inspection.look(chosen), self.inspection.frame.iloc[chosen]
        pictures = {"input": part.picture.numpy(), "reconstruction": part.x_hat.numpy(),
                    "from the second code": part.x_re.numpy()}
        mask = None if part.mask is None else part.mask.numpy()
        figure = parts.part(pictures, part.error.numpy(), mask, self.top, self.inspection.frame, chosen,
                                  self.inspection.threshold)
        truth = "defective" if row.label == NOVEL else "good"
        verdict = "novel" if row.novelty_score > self.inspection.threshold else "normal"
        return figure, (f"{row.file}: {truth}, called <b>{verdict}</b>; novelty score {row.novelty_score:.2f} "
                        f"(threshold {self.inspection.threshold:.2f}), l_recon {row.l_recon:.1f}, l_mut "
                        f"{row.l_mut:.2f}, l_enc1 {row.l_enc1:.1f} nats, mean brightness {row.brightness:.0f} of 255")
