"""The inspector: industrial parts one by one, and what the network makes of each."""

from matplotlib.figure import Figure

from rscvae_lab import NOVEL, figures
from rscvae_lab.analysis.inspections import Inspection
from rscvae_lab.widgets.base import Panel, dropdown, slider

ALL = "all kinds"


class PartInspector(Panel):
    """The parts of one kind, or of all kinds, one at a time, from the inspection of a run."""

    def __init__(self, inspection: Inspection):
        self.inspection = inspection
        self.maps, self.top = inspection.heat  # one colour scale for all parts
        kinds = [ALL, *dict.fromkeys(inspection.frame.kind)]
        super().__init__(self.show, {"kind": dropdown("kind", kinds),
                                     "number": slider("part", 0, 0, 1, 1)})

    def narrow(self) -> None:
        """Limits the number to the parts of the kind."""
        self.controls["number"].max = len(self._of_kind(self.controls["kind"].value)) - 1

    def _of_kind(self, kind: str) -> list[int]:
        return [i for i, own in enumerate(self.inspection.frame.kind) if kind in (ALL, own)]

    def show(self, kind: str, number: int) -> tuple[Figure, str]:
        """The images, error map and score of one part."""
        chosen, inspection = self._of_kind(kind)[number], self.inspection
        part, frame, threshold = inspection.look(chosen), inspection.frame, inspection.threshold
        images = {"input": part.image.numpy(), "reconstruction": part.x_hat.numpy(),
                  "from the second code": part.x_re.numpy()}
        mask = None if part.mask is None else part.mask.numpy()
        error, row = self.maps[chosen].numpy(), frame.iloc[chosen]
        name = "error map" if inspection.scaled is None else "where the local score looks"
        figure = figures.part(images, error, mask, self.top, frame, chosen, threshold, name)
        limit = inspection.run.metrics["threshold_local"]
        local = f"local score {row.local_score:.2f} (threshold {limit:.2f}), " if limit else ""
        truth = "defective" if row.label == NOVEL else "good"
        verdict = "novel" if row.novelty_score > threshold else "normal"
        return figure, (f"{row.file}: {truth}, called <b>{verdict}</b>; novelty score "
                        f"{row.novelty_score:.2f} (threshold {threshold:.2f}), {local}l_recon "
                        f"{row.l_recon:.1f}, l_mut {row.l_mut:.2f}, l_enc1 {row.l_enc1:.1f} nats, "
                        f"mean brightness {row.brightness:.0f} of 255")
