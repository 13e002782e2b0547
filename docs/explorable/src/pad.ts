// A pad to draw a digit on, by mouse or finger.
import { type Ink } from "./images";
import { html } from "./draw";

const SIDE = 192, PEN = 17;

export function pad(place: HTMLElement, drawn: (ink: Ink | null) => void): void {
  const canvas = html("canvas", { width: SIDE, height: SIDE, class: "pad drags", role: "img", "aria-label": "a pad: draw a digit here" });
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  const clear = html("button", { type: "button" }, "clear");
  const hint = html("span", { "aria-hidden": "true" }, "draw a digit here");
  let last: [number, number] | null = null;
  const empty = () => {
    context.fillStyle = "black";
    context.fillRect(0, 0, SIDE, SIDE);
    hint.hidden = false;
  };
  const send = () => {
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    drawn({ side: SIDE, pixels: Float32Array.from({ length: SIDE * SIDE }, (_, p) => data[4 * p] / 255) });
  };
  const stroke = (event: PointerEvent) => {
    const box = canvas.getBoundingClientRect();
    const point: [number, number] = [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
    Object.assign(context, { strokeStyle: "white", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...(last ?? point));
    context.lineTo(...point);
    context.stroke();
    last = point;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    last = null;
    hint.hidden = true;
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons && last) stroke(event); });
  canvas.addEventListener("pointerup", () => {
    if (!last) return; // the stroke did not begin here
    last = null;
    send();
  });
  clear.addEventListener("click", () => {
    empty();
    drawn(null);
  });
  empty();
  place.append(hint, canvas, clear);
}
