// What the four figures share: SVG, controls, the map of the three regions, and redraws that keep up with the hand.
import { paint } from "./images";
import type { Facts, ModelFacts, Region } from "./model";

export const INK = "#1a202c", GREY = "#a0aec0";
const FILL: Record<Region, string> = { normal: "#bee3f8", anomalous: "#feebc8", unknown: "#e2e8f0" };
const TEXT: Record<Region, string> = { normal: "#2b6cb0", anomalous: "#9c4221", unknown: "#4a5568" };
export const regionFill = (region: Region) => FILL[region];

type Attributes = Record<string, string | number>;

export function svg(name: string, attributes: Attributes = {}, ...children: (SVGElement | string)[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(element, attributes);
  element.append(...children);
  return element;
}

export function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, `${value}`);
}

export function html<K extends keyof HTMLElementTagNameMap>(
  name: K, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  set(element, attributes);
  element.append(...children);
  return element;
}

export function slider(label: string, min: number, max: number, step: number, value: number): HTMLInputElement {
  return html("input", { type: "range", min, max, step, value, "aria-label": label });
}

export function labelled(text: string, control: HTMLElement, value: HTMLElement | string = ""): HTMLElement {
  return html("label", { class: "control" }, html("span", {}, text), control, value);
}

/** Text with the indices of its l_recon and RSC-VAE_o. */
export function indexed(text: string): (Node | string)[] {
  return text.split(/\b(l|RSC-VAE)_(\w+)/).map((part, i) => i % 3 === 2 ? html("sub", {}, part) : part);
}

/** What the colours of dots and ellipses mean, and what else is to be said of a figure. */
export function legend(colours: Facts["colours"], normal: string, novel: string, rest: string): HTMLElement {
  const swatch = (colour: string) => html("i", { class: "swatch", style: `background:${colour}` });
  return html("p", { class: "key" }, swatch(colours.normal), `${normal} (normal) `, swatch(colours.novel), `${novel} (novel). ${rest}`);
}

/** The numbers along the axes of a plot, as place and text. */
export function ticks(left: number, floor: number, along: [number, string][], up: [number, string][]): SVGElement {
  return svg("g", { "font-size": "75%", fill: "#4a5568" },
    ...along.map(([x, text]) => svg("text", { x, y: floor + 14, "text-anchor": "middle" }, text)),
    ...up.map(([y, text]) => svg("text", { x: left - 4, y: y + 4, "text-anchor": "end" }, text)));
}

export function indexedSvg(text: string): (SVGElement | string)[] {
  return text.split(/\bl_(\w+)/).flatMap((part, i) => i % 2
    ? ["l", svg("tspan", { dy: "0.25em", "font-size": "80%" }, part), svg("tspan", { dy: "-0.2em" }, "\u200b")] : [part]);
}

/** A row of buttons of which one is pressed. */
export class Choice {
  readonly element: HTMLElement;
  private buttons: HTMLButtonElement[];

  constructor(label: string, texts: (string | Node)[], private chosen: (i: number) => void, names?: string[]) {
    this.buttons = texts.map((text, i) => {
      const shown = typeof text === "string" ? indexed(text) : [text];
      const button = html("button", { type: "button", "aria-pressed": "false", "aria-label": names?.[i] ?? `${text}` }, ...shown);
      button.addEventListener("click", () => this.choose(i));
      return button;
    });
    this.element = html("div", { class: "choice", role: "group", "aria-label": label }, ...this.buttons);
  }

  choose(i: number): void {
    this.press(i);
    this.chosen(i);
  }

  /** Shows a button as pressed, or none for -1. */
  press(i: number): void {
    this.buttons.forEach((button, at) => button.setAttribute("aria-pressed", `${at === i}`));
  }
}

/** A digit with its caption. */
export class Picture {
  private canvas = html("canvas", { width: 32, height: 32, role: "img" });
  readonly element: HTMLElement;

  constructor(caption: string) {
    this.canvas.setAttribute("aria-label", caption);
    this.element = html("figure", { class: "picture" }, this.canvas, html("figcaption", {}, caption));
  }

  show(image: Float32Array | null, caption?: string): void {
    if (caption) this.element.lastElementChild!.textContent = caption;
    paint(this.canvas, image);
  }
}

export function thumbnail(image: Float32Array): HTMLCanvasElement {
  const canvas = html("canvas", { "aria-hidden": "true" });
  paint(canvas, image);
  return canvas;
}

export function chip(region: Region): HTMLElement {
  return html("b", { class: `chip ${region}` }, region);
}

/** Milliseconds from a change to the frame that shows it, by figure: read by tests and `make bench`. */
export const redraws: Record<string, number[]> = {};

/** Runs `draw` for the latest value: values that come while it draws replace each other. */
export function latest<T>(figure: string, draw: (value: T) => Promise<void>): (value: T) => Promise<void> {
  let waiting: { value: T; since: number } | null = null, busy = false;
  redraws[figure] ??= [];
  return async (value) => {
    waiting = { value, since: waiting ? (waiting as { since: number }).since : performance.now() };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const now: { value: T; since: number } = waiting;
        waiting = null;
        await draw(now.value);
        await new Promise(requestAnimationFrame);
        redraws[figure].push(performance.now() - now.since);
      }
    } finally {
      busy = false;
    }
  };
}

/** Calls `moved` with the place of the pointer in an SVG's own units, while it is pressed. */
export function draggable(target: SVGElement, moved: (x: number, y: number) => void): void {
  const root = target as SVGGraphicsElement;
  const move = (event: PointerEvent) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(root.getScreenCTM()!.inverse());
    moved(x, y);
  };
  root.addEventListener("pointerdown", (event) => {
    root.setPointerCapture(event.pointerId);
    move(event);
  });
  root.addEventListener("pointermove", (event) => event.buttons && root.hasPointerCapture(event.pointerId) && move(event));
}

/** Dots of one colour as a single path. */
export function dots(points: [number, number][], colour: string, size: number): SVGElement {
  const d = points.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
  return svg("path", { d, stroke: colour, "stroke-width": size, "stroke-linecap": "round", opacity: 0.75, fill: "none" });
}

export interface Place { distance: number; information: number }
export interface Cloud { places: Place[]; colour: string }

/** The three regions as they are defined: by a code's distance to normal codes, and by its information. */
export class RegionMap {
  readonly element: SVGElement;
  private path = svg("path", { fill: "none", stroke: INK, "stroke-width": 1.2, opacity: 0.55 });
  private ring = svg("circle", { r: 6, fill: "white", stroke: INK, "stroke-width": 3 });
  private clouds = svg("g");
  private x: (distance: number) => number;
  private y: (information: number) => number;

  constructor(facts: ModelFacts, distances: number[], nats: number[], width: number, height: number, label: string) {
    const [farthest, most] = [Math.max(...distances), Math.max(...nats)]; // what lies beyond is shown at the edge
    const [left, bottom] = [46, 42], right = width - 9, top = 9;
    this.x = (distance) => left + Math.sqrt(Math.min(1, distance / farthest)) * (right - left); // room for what is near
    this.y = (nats) => height - bottom - Math.min(1, Math.max(0, nats) / most) * (height - bottom - top);
    const border = [this.x(facts.farthest), this.y(facts.least_information)], floor = height - bottom;
    const area = (region: Region, x: number, y: number, w: number, h: number, tx: number, ty: number,
                  anchor = "start") => [
      svg("rect", { x, y, width: w, height: h, fill: FILL[region] }),
      svg("text", { x: tx, y: ty, fill: TEXT[region], "font-weight": 600,
                    "font-size": width > 300 ? "100%" : "80%", "text-anchor": anchor, "paint-order": "stroke",
                    stroke: FILL[region], "stroke-width": 3 }, region)];
    const areas = [
      ...area("anomalous", border[0], top, right - border[0], border[1] - top, right - 5, top + 18, "end"),
      ...area("normal", left, top, border[0] - left, border[1] - top, left + 5, top + 18),
      ...area("unknown", left, border[1], right - left, floor - border[1], right - 5, floor - 6, "end")];
    this.element = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "map" },
      ...areas.filter((a) => a.tagName === "rect"), this.clouds, this.path, ...areas.filter((a) => a.tagName === "text"),
      ticks(left, floor, distances.map((d) => [this.x(d), `${d}`]), nats.map((n) => [this.y(n), `${n}`])),
      svg("text", { x: left, y: height - 8 }, width > 300 ? "distance to normal codes (root scale) →" : "distance →"),
      svg("text", { transform: `translate(17 ${floor}) rotate(-90)` }, "information (nats) →"),
      this.ring);
    this.ring.style.display = "none";
  }

  showClouds(clouds: Cloud[], size: number): void {
    this.clouds.replaceChildren(...clouds.map(({ places, colour }) => dots(places.map((p) => this.at(p)), colour, size)));
  }

  showPath(places: Place[]): void {
    set(this.path, { d: places.map((p, i) => `${i ? "L" : "M"}${this.at(p).map((v) => v.toFixed(1)).join(" ")}`).join("") });
  }

  showRing(place: Place): void {
    const [cx, cy] = this.at(place);
    set(this.ring, { cx, cy });
    this.ring.style.display = "";
  }

  private at(place: Place): [number, number] {
    return [this.x(place.distance), this.y(place.information)];
  }
}
