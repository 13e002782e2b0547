"""A picture that says where it was clicked; `ipywidgets.Image` cannot."""

import anywidget
import traitlets


class ClickablePicture(anywidget.AnyWidget):
    """A PNG in `value`; a click puts `point`: the place as shares of width and height from the top left corner, and the
    number of the click, so that the same place clicked again is news."""

    value = traitlets.Bytes().tag(sync=True)
    point = traitlets.List(traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)
    _esm = """
    function render({ model, el }) {
      let clicks = 0;
      const picture = document.createElement("img");
      picture.alt = "a map of codes; click a point";
      picture.style.cssText = "cursor: crosshair; max-width: 100%; display: block";
      const show = () => {
        const old = picture.src;
        picture.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
        if (old) URL.revokeObjectURL(old);
      };
      picture.addEventListener("click", (event) => {
        const place = [event.offsetX / picture.clientWidth, event.offsetY / picture.clientHeight];
        model.set("point", [...place, ++clicks]);
        model.save_changes();
      });
      model.on("change:value", show);
      show();
      el.appendChild(picture);
      return () => URL.revokeObjectURL(picture.src);
    }
    export default { render };
    """
