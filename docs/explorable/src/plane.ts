// (a) The latent plane: a point that is decoded and recoded, over the codes of digits and the regions.
import { INK, Picture, draggable, html, labelled, latest, legend, regionFill, set, slider, svg, chip } from "./draw";
import { type Examined, type Facts, type Model, information } from "./model";

const SIZE = 360, GRID = 40, ARROWS = 10;

export class PlaneFigure {
  private reach: number;
  private ring = svg("circle", { r: 9, fill: "white", "fill-opacity": 0.3, stroke: INK, "stroke-width": 3 });
  private second = svg("ellipse", { fill: "none", stroke: INK, "stroke-width": 1.5 });
  private arrow = svg("path", { stroke: INK, "stroke-width": 2.5, fill: "none", "marker-end": "url(#head)" });
  private pictures = [new Picture("G(z): decoded from the ring"), new Picture("decoded from the arrow's head")];
  private own = new Picture("your digit, encoded at the pink ellipse");
  private mine = svg("g", { fill: "none", stroke: "#b83280", "stroke-width": 3.5 });
  private start: number[];
  private image: Float32Array | null = null;
  private sliders: HTMLInputElement[];
  private text = html("output", { "aria-live": "polite" });
  private canvas: SVGElement;
  private z = [0, 0];
  readonly redraw = latest("a", () => this.draw());

  constructor(private model: Model, facts: Facts, examined: Examined[], place: HTMLElement) {
    this.reach = 1.08 * Math.max(...examined.flatMap(({ mu }) => [Math.abs(mu[0]), Math.abs(mu[1])]));
    const [normal, novel] = [0, 1].map((label) => examined.filter((_, i) => facts.digits.labels[i] === label));
    const ellipses = (codes: Examined[], stroke: string) => svg("g", { stroke, fill: "none", "stroke-width": 1.4,
      opacity: 0.8 }, ...codes.map(({ mu, logVar }) => svg("ellipse", this.ellipse(mu, logVar))));
    set(this.ring, { tabindex: 0, role: "slider", "aria-label": "point of the plane; arrow keys move it",
                     "aria-valuemin": -this.reach, "aria-valuemax": this.reach, "aria-valuenow": 0 });
    this.canvas = svg("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "plane drags", role: "group",
                               "aria-label": "the latent plane: drag the ring" },
      ...[["head", INK, 12], ["far-head", "#718096", 6]].map(([id, fill, size]) => svg("marker", { id, viewBox: "0 0 8 8",
        refX: 7, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: size, markerHeight: size, orient: "auto" },
        svg("path", { d: "M0 0L8 4L0 8z", fill, stroke: "none" }))),
      svg("g", { class: "field" }), ellipses(novel, facts.colours.novel), ellipses(normal, facts.colours.normal),
      this.mine, this.second, this.arrow, this.ring);
    draggable(this.canvas, (x, y) => this.move([(2 * x / SIZE - 1) * this.reach, (1 - 2 * y / SIZE) * this.reach]));
    this.ring.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!step) return;
      event.preventDefault();
      this.move(this.z.map((value, d) => value + step[d] * this.reach / 40));
    });
    this.sliders = ["z₁", "z₂"].map((name) => slider(name, -this.reach, this.reach, 0.01, 0));
    this.sliders.forEach((each) => each.addEventListener("input", () => this.move(this.sliders.map((s) => +s.value))));
    place.append(html("div", { class: "beside" }, html("div", { class: "wide" }, this.canvas,
        legend(facts.colours, "codes of eights", "codes of other digits", "The ground's colour says where the arrow from there "
          + "ends, not where it starts: most orange ellipses are far from all eights (anomalous), yet lie on grey ground, since "
          + "what is decoded there is encoded in the unknown region. Black ellipse: the code at the arrow's head; the larger, the "
          + `less it says. In training the network also saw ${model.facts.anomalies} images of other digits.`)),
      html("div", {}, html("div", { class: "pictures" }, ...[...this.pictures, this.own].map((p) => p.element)), this.text,
        html("p", { class: "key" }, "Drag the ring, click anywhere, or select the ring and use the arrow keys."),
        ...this.sliders.map((each, d) => labelled(["z₁", "z₂"][d], each)))));
    this.start = this.mean(normal);
    void this.show(null);
    void this.field();
  }

  /** Marks an image of one's own and puts the ring on its code; null takes it away. */
  async show(image: Float32Array | null): Promise<void> {
    this.image = image;
    this.mine.replaceChildren();
    this.own.element.hidden = !image;
    this.own.show(image);
    if (!image) return this.move(this.start);
    const { mu, logVar } = await this.model.encode(image);
    if (this.image !== image) return; // cleared or drawn anew since
    const place = this.ellipse(mu, logVar);
    this.mine.replaceChildren(svg("ellipse", place), svg("text", { x: place.cx, y: place.cy - Math.max(14, place.ry + 5), fill: "#97266d",
      stroke: "white", "stroke-width": 3, "paint-order": "stroke", "text-anchor": "middle", "font-weight": 700 }, "yours"));
    return this.move([...mu]);
  }

  /** Puts the ring at a point. */
  move(z: number[]): Promise<void> {
    this.z = z.map((value) => 0.97 * this.reach * Math.min(1, Math.max(-1, value / (0.97 * this.reach))));
    return this.redraw(undefined);
  }

  private mean(codes: Examined[]): number[] {
    return [0, 1].map((d) => codes.reduce((sum, { mu }) => sum + mu[d], 0) / codes.length);
  }

  private at(d: number, value: number): number {
    return SIZE * (d ? this.reach - value : this.reach + value) / (2 * this.reach);
  }

  private ellipse(mu: Float32Array, logVar: Float32Array): Record<string, number> {
    const [rx, ry] = [0, 1].map((d) => Math.exp(0.5 * logVar[d]) * SIZE / (2 * this.reach));
    return { cx: this.at(0, mu[0]), cy: this.at(1, mu[1]), rx, ry };
  }

  private async draw(): Promise<void> {
    const z = Float32Array.from(this.z), xHat = await this.model.decode(z), { mu, logVar } = await this.model.encode(xHat);
    const xRe = await this.model.decode(mu), nats = information(mu, logVar), { region, distance } = this.model.place(mu, nats);
    this.pictures[0].show(xHat);
    this.pictures[1].show(xRe);
    const [x, y] = this.z.map((value, d) => this.at(d, value)), gap = Math.hypot(mu[0] - this.z[0], mu[1] - this.z[1]);
    set(this.ring, { cx: x, cy: y, "aria-valuenow": this.z[0].toFixed(2),
                     "aria-valuetext": `z = ${this.z.map((v) => v.toFixed(2)).join(", ")}` });
    set(this.second, this.ellipse(mu, logVar));
    set(this.arrow, { d: `M${x} ${y}L${this.at(0, mu[0])} ${this.at(1, mu[1])}` });
    this.sliders.forEach((each, d) => { each.value = `${this.z[d]}`; });
    this.text.replaceChildren(`The ring's place, z = (${this.z.map((v) => v.toFixed(2)).join(", ")}), is decoded into the first image. `
      + `Encoded again, that lands ${gap.toFixed(2)} away (arrow), with ${nats.toFixed(1)} nats of information, `
      + `${distance.toFixed(2)} from the normal codes. So the arrow ends in the `, chip(region), " region.");
  }

  /** Behind the codes: the region into which each point's image is encoded, and arrows from z to mu_hat. */
  private async field(): Promise<void> {
    const canvas = new OffscreenCanvas(GRID, GRID), context = canvas.getContext("2d")!, arrows: SVGElement[] = [];
    for (let row = 0; row < GRID; row++) {
      const z = Float32Array.from({ length: 2 * GRID }, (_, i) => i % 2 ? this.reach * (1 - (2 * row + 1) / GRID)
        : this.reach * ((i + 1) / GRID - 1));
      const { mu, logVar } = await this.model.encode(await this.model.decode(z));
      for (let column = 0; column < GRID; column++) {
        const pair = [2 * column, 2 * column + 2] as const, m = mu.slice(...pair);
        context.fillStyle = regionFill(this.model.place(m, information(m, logVar.slice(...pair))).region);
        context.fillRect(column, row, 1, 1);
        const every = GRID / ARROWS;
        if (row % every === 2 && column % every === 2) {
          const ends = [z[pair[0]], z[pair[0] + 1], m[0], m[1]].map((value, i) => this.at(i % 2, value).toFixed(1));
          arrows.push(svg("path", { d: `M${ends[0]} ${ends[1]}L${ends[2]} ${ends[3]}`, "marker-end": "url(#far-head)" }));
        }
      }
      await new Promise(requestAnimationFrame);
    }
    const url = await new Promise<string>(async (done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result as string);
      reader.readAsDataURL(await canvas.convertToBlob());
    });
    this.canvas.querySelector(".field")!.replaceChildren(
      svg("image", { href: url, width: SIZE, height: SIZE, style: "image-rendering:auto" }),
      svg("g", { stroke: "#718096", "stroke-width": 1, fill: "none", opacity: 0.55 }, ...arrows));
    this.canvas.setAttribute("data-field", "drawn");
  }
}
