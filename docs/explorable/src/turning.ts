// (b) The turning eight: an angle, and where the code of the turned image lies.
import { Choice, Picture, RegionMap, chip, draggable, html, labelled, latest, legend, slider, svg, thumbnail } from "./draw";
import { rotated } from "./images";
import type { Examined, Facts, Model } from "./model";

const STEP = 5, DISTANCES = [0, 0.5, 1, 2, 3.5], NATS = [0, 4, 8, 12];

export class TurningFigure {
  private map: RegionMap;
  private pictures = ["turned image", "reconstruction", "decoded from its second code"].map((t) => new Picture(t));
  private slider = slider("angle in degrees", 0, 360, STEP, 0);
  private degrees = html("b", { class: "value" });
  private text = html("output", { "aria-live": "polite" });
  private bars: [string, number, (e: Examined) => number, HTMLElement][];
  private choice: Choice;
  private image!: Float32Array;
  readonly redraw = latest("b", (angle: number) => this.draw(angle));

  constructor(private model: Model, facts: Facts, images: Float32Array[], examined: Examined[], place: HTMLElement) {
    const { labels, turning } = facts.digits, limits = model.facts;
    this.map = new RegionMap(limits, DISTANCES, NATS, 420, 300, "the turned image's code on the map of the regions");
    const cloud = (label: number) => examined.filter((_, i) => labels[i] === label)
      .map(({ distance, l_enc1 }) => ({ distance, information: l_enc1 }));
    this.map.showClouds([{ places: cloud(1), colour: facts.colours.novel }, { places: cloud(0), colour: facts.colours.normal }], 5);
    this.bars = [["information in nats, normal from", limits.least_information, (e) => e.l_enc1, html("div")],
                 ["distance to normal codes, normal up to", limits.farthest, (e) => e.distance, html("div")],
                 ["novelty score, novel above", limits.threshold, (e) => e.score, html("div")]];
    this.choice = new Choice("which eight", turning.map((i) => thumbnail(images[i])), (i) => this.turn(images[turning[i]]),
                             turning.map((_, i) => `eight number ${i + 1}`));
    this.slider.addEventListener("input", () => this.redraw(+this.slider.value));
    const dial = svg("svg", { viewBox: "-50 -50 100 100", class: "dial drags", "aria-hidden": "true" },
      svg("circle", { r: 46, fill: "#edf2f7", stroke: "#718096" }), svg("path", { d: "M0 0V-46", stroke: "#1a202c", "stroke-width": 5 }));
    draggable(dial, (x, y) => {
      const angle = (Math.atan2(x, -y) * 180 / Math.PI + 360) % 360;
      this.slider.value = `${(STEP * Math.round(angle / STEP)) % 360}`;
      void this.redraw(+this.slider.value);
    });
    place.append(html("div", { class: "controls" }, this.choice.element, labelled("angle", this.slider, this.degrees), dial),
      html("div", { class: "beside" },
        html("div", { class: "bars" }, html("div", { class: "pictures" }, ...this.pictures.map((p) => p.element)), this.text,
          ...this.bars.map((bar) => bar[3]),
          html("p", { class: "key" }, "Red: the limit. The bars' scale is compressed, so that none is ever full.")),
        html("div", { class: "wide" }, this.map.element, legend(facts.colours, "eights", "other digits",
          "Ring: the turned image. Line: its way through all angles. What lies beyond the map is shown at its edge."))),);
    this.dial = dial;
    this.choice.choose(0);
  }

  private dial: SVGElement;

  /** Back to the first eight. */
  reset(): void {
    this.choice.choose(0);
  }

  /** Turns another image, from upright. */
  async turn(image: Float32Array, own = false): Promise<void> {
    if (own) this.choice.press(-1);
    this.image = image;
    this.slider.value = "0";
    void this.redraw(0);
    const angles = Array.from({ length: 360 / STEP + 1 }, (_, i) => rotated(image, -i * STEP));
    const way = await this.model.examine(angles);
    if (this.image === image) this.map.showPath(way.map(({ distance, l_enc1 }) => ({ distance, information: l_enc1 })));
  }

  private async draw(angle: number): Promise<void> {
    const image = rotated(this.image, -angle), // clockwise, as the dial
       [result] = await this.model.examine([image]);
    const { region, distance, l_enc1, score, xHat, muRe } = result, images = [image, xHat, await this.model.decode(muRe)];
    this.pictures.forEach((picture, i) => picture.show(images[i]));
    this.map.showRing({ distance, information: l_enc1 });
    this.dial.lastElementChild!.setAttribute("transform", `rotate(${angle})`);
    this.slider.setAttribute("aria-valuetext", `${angle} degrees`);
    this.degrees.textContent = `${angle}°`;
    const { least_information, threshold } = this.model.facts, lacks = least_information - l_enc1;
    const near = lacks > 0 && lacks < 0.2 * least_information;
    this.text.replaceChildren(`Turned by ${angle}°: `, chip(region), " region; by its score it ",
      html("b", {}, score > threshold ? "is novel" : "passes as normal"), near
        ? `. Its ${l_enc1.toFixed(2)} nats lie only just under the limit of ${least_information.toFixed(2)}.` : ".");
    for (const [name, limit, of, place] of this.bars) {
      const value = of(result), share = (v: number) => `${100 * v / (v + 2 * limit)}%`;
      place.replaceChildren(html("span", {}, html("b", {}, value.toFixed(2)), ` ${name} ${limit.toFixed(2)}`),
        html("div", { class: "bar" }, html("i", { style: `width:${share(value)}` }), html("u", { style: `left:${share(limit)}` })));
    }
  }
}
