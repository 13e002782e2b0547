"""An image that reports where it was clicked, which `ipywidgets.Image` does not."""

import anywidget
import traitlets


class ClickableImage(anywidget.AnyWidget):
    """Shows the PNG in `value`. A click sets `point` to [x, y, clicks]: fractions of width and
    height from the upper left corner, and a count, so that a second click at the same place is a
    change too."""

    value = traitlets.Bytes().tag(sync=True)
    point = traitlets.List(traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)
    _esm = """
    function render({ model, el }) {
      let clicks = 0;
      const image = document.createElement("img");
      image.alt = "a map of codes; click a point";
      image.style.cssText = "cursor: crosshair; max-width: 100%; display: block";
      const show = () => {
        const old = image.src;
        image.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
        if (old) URL.revokeObjectURL(old);
      };
      image.addEventListener("click", (event) => {
        const place = [event.offsetX / image.clientWidth, event.offsetY / image.clientHeight];
        model.set("point", [...place, ++clicks]);
        model.save_changes();
      });
      model.on("change:value", show);
      show();
      el.appendChild(image);
      return () => URL.revokeObjectURL(image.src);
    }
    export default { render };
    """
