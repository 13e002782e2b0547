"""A line that says while an image is behind its controls. The browser keeps it, for a kernel that
draws cannot speak."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anywidget
import ipywidgets
import traitlets
from ipywidgets import widget_serialization


class Behind(anywidget.AnyWidget):
    """Shows `drawing …` while a control's position in the browser is another than the drawn one.

    Attributes:
        controls: sliders, dropdowns, checkboxes.
        last: their last drawn positions, as JSON.
    """

    controls = traitlets.List().tag(sync=True, **widget_serialization)
    last = traitlets.Unicode("[]").tag(sync=True)
    _esm = """
    const position = (model) => model.get(model.get("index") === undefined ? "value" : "index");
    async function render({ model, el }) {
      const line = document.createElement("div");
      line.setAttribute("role", "status");
      line.style.cssText = "min-width: 14rem; line-height: 2; font-style: italic";
      el.appendChild(line);
      const controls = await Promise.all(model.get("controls").map((reference) =>
        typeof reference === "string"
          ? model.widget_manager.get_model(reference.replace("IPY_MODEL_", "")) : reference));
      const say = () => {
        const last = JSON.parse(model.get("last"));
        const behind = controls.some((each, i) => position(each) !== last[i]);
        line.textContent = behind ? "drawing … the image is behind" : "";
      };
      for (const each of controls) each.on("change:value change:index", say);
      model.on("change:last", say);
      say();
      return () => controls.forEach((each) => each.off("change:value change:index", say));
    }
    export default { render };
    """

    def __init__(self, controls: Sequence[ipywidgets.ValueWidget]):
        super().__init__(controls=list(controls))

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Notes the controls' positions; once the block has drawn them, or failed to, they are
        the drawn ones."""
        positions = [getattr(control, "index", control.value) for control in self.controls]
        try:
            yield
        finally:
            self.last = json.dumps(positions)
