// (d) Alpha: Eq. 15 as a line that turns over the plane of its two terms, with the ROC curve that follows.
import { Choice, GREY, INK, dots, draggable, html, indexed, indexedSvg, labelled, latest, legend, set, slider, svg, ticks } from "./draw";
import { paint } from "./images";
import { modeName } from "./modes";
import type { Facts } from "./model";

const SIZE = 320, LEFT = 46, MOST = 5; // of the plane, in multiples of a normal digit's mean term
const FALSE_ALARMS = 0.05;

/** The ROC curve of scores, from (0, 0) to (1, 1), and the area below it: ties count half. */
export function roc(labels: number[], scores: number[]): { points: [number, number][]; auroc: number } {
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]), novel = labels.filter(Boolean).length;
  const points: [number, number][] = [[0, 0]];
  let [alarms, hits, auroc] = [0, 0, 0];
  order.forEach((i, rank) => {
    if (labels[i]) hits++; else alarms++;
    if (rank + 1 < order.length && scores[order[rank + 1]] === scores[i]) return;
    const [x, y] = [alarms / (labels.length - novel), hits / novel], [x0, y0] = points[points.length - 1];
    auroc += (x - x0) * (y + y0) / 2;
    points.push([x, y]);
  });
  return { points, auroc };
}

export class AlphaFigure {
  private slider = slider("alpha", 0, 1, 0.01, 0.5);
  private value = html("b", { class: "value" });
  private text = html("output", { "aria-live": "polite" });
  private cloud = svg("g");
  private line = svg("line", { stroke: INK, "stroke-width": 3 });
  private beyond = svg("polygon", { fill: "#feebc8", opacity: 0.6 });
  private curve = svg("path", { fill: "none", stroke: INK, "stroke-width": 2.5 });
  private mark = svg("circle", { r: 6, fill: "white", stroke: INK, "stroke-width": 3 });
  private near = html("canvas", { class: "near", role: "img", "aria-label": "the digit under the pointer" });
  private parts: [number, number][] = [];
  private name = "vae";
  private plane: SVGElement;
  readonly redraw = latest("d", async (alpha: number) => this.draw(alpha));
  readonly steps = [() => this.turn(0), () => this.turn(1)];

  constructor(private facts: Facts, private images: Float32Array[], place: HTMLElement) {
    const names = Object.keys(facts.mnist.measured);
    const choice = new Choice("model", names.map((name) => modeName(facts, name)), (i) => this.choose(names[i]));
    const frame = (label: string, x: string, y: string, most: number, ...children: SVGElement[]) => svg("svg", {
      viewBox: `0 -9 ${SIZE + LEFT + 18} ${SIZE + LEFT + 9}`, role: "img", "aria-label": label, class: "map" },
      svg("rect", { x: LEFT, y: 0, width: SIZE, height: SIZE, fill: "#f7fafc", stroke: "#cbd5e0" }), ...children,
      ticks(LEFT, SIZE, ...[0, 1].map((up) => [0, 0.2, 0.4, 0.6, 0.8, 1].map((part): [number, string] =>
        [up ? SIZE * (1 - part) : LEFT + SIZE * part, `${most * part}`])) as [[number, string][], [number, string][]]),
      svg("text", { x: LEFT, y: SIZE + 36 }, ...indexedSvg(x)),
      svg("text", { transform: `translate(17 ${SIZE}) rotate(-90)` }, ...indexedSvg(y)));
    this.plane = frame("test digits by their two terms; the line parts them", "image error l_recon / its normal mean →",
                       "code change l_mut / its normal mean →", MOST, this.beyond, this.cloud, this.line);
    this.plane.classList.add("drags");
    draggable(this.plane, (x, y) => { // the line's normal follows the pointer
      const [u, v] = [x - LEFT, SIZE - y].map((value) => Math.max(0, value));
      if (u + v > 10) this.turn(Math.round(100 * v / (u + v)) / 100);
    });
    this.plane.addEventListener("pointermove", (event) => this.hover(event as PointerEvent));
    const rocPlot = frame("ROC curve", "normal digits called novel →", "novel digits found →", 1,
      svg("line", { x1: LEFT, y1: SIZE, x2: LEFT + SIZE, y2: 0, stroke: GREY, "stroke-dasharray": "4 4" }), this.curve, this.mark,
      svg("text", { x: LEFT + SIZE - 8, y: SIZE - 60, "text-anchor": "end" }, "ROC curve (below it: AUROC)"),
      svg("text", { x: LEFT + SIZE - 8, y: SIZE - 38, "text-anchor": "end" }, "Ring: the line on the left."),
      svg("text", { x: LEFT + SIZE - 8, y: SIZE - 16, "text-anchor": "end" }, "Dashed: by guessing."));
    this.slider.addEventListener("input", () => this.redraw(+this.slider.value));
    place.append(html("div", { class: "controls" }, choice.element, labelled("α", this.slider, this.value)), this.text,
      html("div", { class: "beside" }, html("div", { class: "wide" }, this.plane), html("div", { class: "wide" }, rocPlot)),
      html("div", { class: "hint" }, this.near, legend(facts.colours, "fives", "other digits",
        "Point at a dot to see its digit. Beyond the line lie 5 % of the fives. Dots at the upper and right edge lie farther out.")));
    choice.choose(0);
  }

  turn(alpha: number): void {
    this.slider.value = `${alpha}`;
    void this.redraw(alpha);
  }

  private choose(name: string): void {
    const { labels, measured } = this.facts.mnist, [recon, mut] = this.facts.models[name].means;
    this.name = name;
    this.parts = measured[name].l_recon.map((l_recon, i) => [l_recon / recon, measured[name].l_mut[i] / mut]);
    const places = this.parts.map((part) => this.at(...part)), of = (label: number) => places.filter((_, i) => labels[i] === label);
    this.cloud.replaceChildren(dots(of(1), this.facts.colours.novel, 6), dots(of(0), this.facts.colours.normal, 6));
    void this.redraw(+this.slider.value);
  }

  private at(u: number, v: number): [number, number] {
    return [LEFT + SIZE * Math.min(1, u / MOST), SIZE * (1 - Math.min(1, v / MOST))];
  }

  /** Scores at an alpha, and the AUROC: what the tests compare with Python. */
  scores(alpha: number): { scores: number[]; auroc: number; points: [number, number][] } {
    const scores = this.parts.map(([u, v]) => alpha * v + (1 - alpha) * u);
    return { scores, ...roc(this.facts.mnist.labels, scores) };
  }

  private draw(alpha: number): void {
    const { labels } = this.facts.mnist, { scores, points, auroc } = this.scores(alpha);
    const normal = scores.filter((_, i) => !labels[i]).sort((a, b) => a - b);
    const limit = normal[Math.ceil((1 - FALSE_ALARMS) * normal.length) - 1];
    const found = scores.filter((score, i) => labels[i] && score > limit).length / (labels.length - normal.length);
    // alpha v + (1 - alpha) u = limit, within the square
    const u = (v: number) => (limit - alpha * v) / (1 - alpha), v = (w: number) => (limit - (1 - alpha) * w) / alpha;
    const ends = [[u(0), 0], [u(MOST), MOST], [0, v(0)], [MOST, v(MOST)]].filter((p) => p.every((w) => w >= -1e-9 && w <= MOST + 1e-9));
    const far = ends.reduce((best, p) => Math.hypot(p[0] - ends[0][0], p[1] - ends[0][1])
      > Math.hypot(best[0] - ends[0][0], best[1] - ends[0][1]) ? p : best, ends[0]);
    const [[x1, y1], [x2, y2]] = [ends[0], far].map(([a, b]) => this.at(a, b));
    set(this.line, { x1, y1, x2, y2 });
    const corners = [[0, 0], [MOST, 0], [MOST, MOST], [0, MOST]], area: [number, number][] = [];
    corners.forEach((corner, i) => { // the part of the square beyond the line
      const next = corners[(i + 1) % 4], side = ([a, b]: number[]) => alpha * b + (1 - alpha) * a - limit;
      if (side(corner) > 0) area.push(this.at(corner[0], corner[1]));
      if (side(corner) * side(next) < 0) {
        const t = side(corner) / (side(corner) - side(next));
        area.push(this.at(corner[0] + t * (next[0] - corner[0]), corner[1] + t * (next[1] - corner[1])));
      }
    });
    set(this.beyond, { points: area.map((p) => p.join(",")).join(" ") });
    const place = ([x, y]: [number, number]) => [LEFT + SIZE * x, SIZE * (1 - y)];
    set(this.curve, { d: points.map((p, i) => `${i ? "L" : "M"}${place(p).join(" ")}`).join("") });
    const [cx, cy] = place([normal.filter((score) => score > limit).length / normal.length, found]);
    set(this.mark, { cx, cy });
    this.slider.setAttribute("aria-valuetext", alpha.toFixed(2));
    this.value.textContent = alpha.toFixed(2);
    const which = alpha === 0 ? " (the image error alone)" : alpha === 1 ? " (the code change alone)" : "";
    this.text.replaceChildren(...indexed(`α = ${alpha.toFixed(2)}${which}, ${modeName(this.facts, this.name)}: `),
      html("b", {}, `AUROC ${auroc.toFixed(3)}`), `; with 5 % false alarms ${Math.round(100 * found)} % of the novel digits are found.`);
  }

  /** Shows the digit of the dot under the pointer. */
  private hover(event: PointerEvent): void {
    const { x, y } = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform((this.plane as SVGGraphicsElement).getScreenCTM()!.inverse());
    const far = this.parts.map((part) => this.at(...part)).map(([px, py]) => Math.hypot(px - x, py - y));
    const i = far.indexOf(Math.min(...far));
    if (far[i] > 12) return;
    paint(this.near, this.images[i]);
    const { labels, categories } = this.facts.mnist;
    this.near.setAttribute("aria-label", `a ${categories[i]}, ${labels[i] ? "novel" : "normal"}`);
  }
}
