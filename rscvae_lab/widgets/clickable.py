"""An image that reports where it was clicked or dragged, which `ipywidgets.Image` does not."""

import anywidget
import traitlets


class ClickableImage(anywidget.AnyWidget):
    """Shows the PNG in `value`. A click sets `point` to [x, y, clicks]: fractions of width and
    height from the upper left corner, and a count, so that a second click at the same place is a
    change too. With `drags`, so does every move of a pressed pointer.

    While the kernel is busy with one position ipywidgets holds the next ones back and then sends
    the last alone.
    """

    value = traitlets.Bytes().tag(sync=True)
    drags = traitlets.Bool(False).tag(sync=True)
    alt = traitlets.Unicode("a map of codes; click a point").tag(sync=True)
    point = traitlets.List(traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)
    _esm = """
    function render({ model, el }) {
      let clicks = 0;
      const image = document.createElement("img");
      image.alt = model.get("alt");
      image.draggable = false;
      image.style.cssText = "cursor: crosshair; max-width: 100%; display: block";
      const show = () => {
        const old = image.src;
        image.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
        if (old) URL.revokeObjectURL(old);
      };
      const tell = (event) => {
        const box = image.getBoundingClientRect();
        const place = [(event.clientX - box.left) / box.width,
                       (event.clientY - box.top) / box.height];
        model.set("point", [...place.map((x) => Math.min(1, Math.max(0, x))), ++clicks]);
        model.save_changes();
      };
      if (model.get("drags")) {
        image.style.touchAction = "none";
        image.addEventListener("pointerdown", (event) => {
          image.setPointerCapture(event.pointerId);
          tell(event);
        });
        image.addEventListener("pointermove", (event) => { if (event.buttons & 1) tell(event); });
      } else {
        image.addEventListener("click", tell);
      }
      model.on("change:value", show);
      show();
      el.appendChild(image);
      return () => URL.revokeObjectURL(image.src);
    }
    export default { render };
    """
