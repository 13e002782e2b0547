// (c) One novel digit under five trainings: where its code goes, what is drawn, and which losses made it so.
import { Choice, Picture, RegionMap, chip, html, indexed, latest, legend, thumbnail } from "./draw";
import { diagram } from "./diagram";
import type { Facts, Model, Region } from "./model";
import { REGIONS } from "./model";

const DISTANCES = [0, 1, 4, 9], NATS = [0, 10, 20, 30], NOVEL = 18, NORMAL = 4; // of the maps; digits to choose from

interface Card { name: string; model: Model; map: RegionMap; picture: Picture; text: HTMLElement; element: HTMLElement }

export function modeName(facts: Facts, name: string): string {
  const { label, anomalies } = facts.models[name];
  return anomalies ? `${label.replace(", base: all", "")}, ${anomalies} anomalies` : label;
}

export class ModesFigure {
  private cards: Card[];
  private digits: Choice;
  private modes: Choice;
  private kind: Choice;
  private flow = html("div", { class: "flow" });
  private caption = html("output", { "aria-live": "polite" });
  private chosen = new Picture("");
  private mode = 0;
  private anomaly = false;
  private image!: Float32Array;
  readonly redraw = latest("c", () => this.draw());

  constructor(private facts: Facts, models: Record<string, Model>, images: Float32Array[], place: HTMLElement) {
    const { labels, categories, measured } = facts.mnist;
    this.cards = Object.entries(measured).map(([name, terms]) => {
      const limits = facts.models[name], title = modeName(facts, name);
      const map = new RegionMap(limits, DISTANCES, NATS, 240, 210, `${title}: the digit's code on the map of the regions`);
      const cloud = (label: number) => terms.distance.map((distance, i) => ({ distance, information: terms.l_enc1[i] }))
        .filter((_, i) => labels[i] === label);
      map.showClouds([{ places: cloud(1), colour: facts.colours.novel }, { places: cloud(0), colour: facts.colours.normal }], 3.5);
      const picture = new Picture("decoded from its code"), text = html("p");
      const novel = labels.filter(Boolean).length;
      const share = terms.region.filter((r, i) => labels[i] && REGIONS[r] === "unknown").length / novel;
      const element = html("article", { style: `--mode:${limits.colour}` }, html("h3", {}, ...indexed(title)), picture.element, text,
        map.element, html("p", { class: "key" }, `of ${novel} novel digits, ${Math.round(100 * share)} % are in the unknown region`));
      return { name, model: models[name], map, picture, text, element };
    });
    const at = (label: number, n: number) => [...labels.keys()].filter((i) => labels[i] === label).slice(0, n);
    const shown = [...at(0, NORMAL), ...at(1, NOVEL)], region = (name: string, i: number) => REGIONS[measured[name].region[i]];
    const telling = shown.findIndex((i) => labels[i] && region("e_all", i) === "unknown" && region("vae", i) === "anomalous"
      && region("e", i) === "anomalous");
    this.digits = new Choice("which digit", shown.map((i) => thumbnail(images[i])), (i) => this.show(images[shown[i]]),
                             shown.map((i) => `a ${categories[i]}, ${labels[i] ? "novel" : "normal"}`));
    this.modes = new Choice("mode", this.cards.map(({ name }) => modeName(facts, name)), (i) => this.light(i, this.anomaly));
    this.kind = new Choice("image", ["shown a normal image", "shown an anomaly"], (i) => this.light(this.mode, i === 1));
    this.steps = [() => this.digits.choose(0), () => this.digits.choose(telling)];
    place.append(html("div", { class: "hint" }, this.chosen.element, this.digits.element),
      html("div", { class: "cards" }, ...this.cards.map((card) => card.element)),
      legend(facts.colours, "fives", "other digits", "Ring: the chosen digit. What lies beyond a map is shown at its edge."),
      html("h3", {}, "Which losses train it"), this.modes.element, this.kind.element, this.flow, this.caption,
      html("p", { class: "key" }, ...indexed("x: the image. μ, Σ: its code, a mean and a variance for each number. z: drawn at random from "
        + "these (in scoring, μ itself). With a hat: the image decoded from z, and its second code. Prior N(0, I): the code that says "
        + "nothing; l_enc1 and l_enc2 are how far the two codes are from it. λ, β: weights of the losses. Grey: not asked for.")));
    this.digits.choose(telling);
    this.light(4, true);
  }

  /** The expected: a normal digit; the strange: a novel one, whose code most modes keep and the last one empties. */
  readonly steps: (() => void)[];

  reset(): void {
    this.steps[1]();
  }

  show(image: Float32Array, own = false): Promise<void> {
    if (own) this.digits.press(-1);
    this.chosen.show(image, own ? "your digit" : "the chosen digit");
    this.image = image;
    return this.redraw(undefined);
  }

  light(mode: number, anomaly: boolean): void {
    [this.mode, this.anomaly] = [mode, anomaly];
    this.modes.press(mode);
    this.kind.press(+anomaly);
    const { name } = this.cards[mode], facts = this.facts.models[name], lit = facts.lit[+anomaly];
    this.flow.replaceChildren(diagram(facts, anomaly));
    const title = modeName(this.facts, name);
    const text = !("enc1" in lit) ? `${title} is never shown an anomaly in training.`
      : anomaly ? `${title}, shown ${facts.mode === "d" ? "a false anomaly, a turned or flipped five" : "a real anomaly, another digit"}: `
        + "the image error is switched off, so nothing asks the code to keep what the image looks like, while l_enc1 pulls it "
        + "towards the prior, where codes say nothing: the unknown region." + (facts.mode === "d" ? " Other digits do not look like "
        + "turned fives, so this hardly reaches them: see above how few of them lie in the unknown region." : "")
      : `${title}, shown a normal image: reconstruct it well (l_recon), say no more than needed (l_enc1)`
        + ("mut" in lit ? ", and let the reconstruction have the same code (l_mut)." : ". No second encoding is trained.");
    this.caption.replaceChildren(...indexed(text));
  }

  private async draw(): Promise<void> {
    const results = await Promise.all(this.cards.map(async (card) => (await card.model.examine([this.image]))[0]));
    this.cards.forEach(({ map, picture, text }, i) => {
      const { region, distance, l_enc1, score, xHat } = results[i], { threshold } = this.cards[i].model.facts;
      picture.show(xHat);
      map.showRing({ distance, information: l_enc1 });
      text.replaceChildren(chip(region as Region), html("br"), `score ${score.toFixed(2)}: `
        + (score > threshold ? "novel" : "passes as normal"),
        html("br"), `(limit ${threshold.toFixed(2)})`, html("br"), `${l_enc1.toFixed(1)} nats`);
    });
  }
}
