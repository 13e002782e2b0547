// The data flow x -> (mu, Sigma) -> z -> x_hat -> second code, with the losses that a mode asks of an image lit.
import { GREY, INK, indexedSvg, svg } from "./draw";
import type { ModelFacts } from "./model";

const Y = 150, NODES: Record<string, [number, string]> = {
  x: [40, "x"], code: [190, "μ, Σ"], z: [345, "z"], xHat: [500, "x"], recode: [665, "μ, Σ"] };
const HATS: Record<string, [number, number][]> = { xHat: [[500, 143]], recode: [[648, 143], [678, 138]] }; // drawn: fonts set them badly
const half = (name: string) => name.endsWith("code") ? 40 : 28;
const STEPS = [["x", "code", "encode"], ["code", "z", "sample"], ["z", "xHat", "decode"], ["xHat", "recode", "encode"]];
const WAYS: Record<string, [string, string, number, number]> = { // path, its name, and where that stands
  recon: ["M40 122V60H500V122", "image error l_recon", 270, 50],
  mut: ["M205 178V222H650V178", "change of code l_mut", 428, 214],
  enc1: ["M175 178V286H350", "l_enc1", 262, 277],
  enc2: ["M680 178V286H504", "l_enc2", 592, 277] };

export function diagram(facts: ModelFacts, anomaly: boolean): SVGElement {
  const lit = facts.lit[+anomaly], shown = Object.keys(lit).length > 0, recodes = "mut" in lit;
  const ink = (name: string) => (name === "recode" ? recodes : shown) ? INK : GREY;
  const heads = [["on", facts.colour], ["ink", INK], ["off", GREY]].map(([name, fill]) => svg("marker", { id: `flow-${name}`,
    viewBox: "0 0 8 8", refX: 7, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: 13, markerHeight: 13,
    orient: "auto-start-reverse" }, svg("path", { d: "M0 0L8 4L0 8z", fill })));
  const box = (x: number, y: number, w: number, text: string, colour: string) => [
    svg("rect", { x: x - w / 2, y: y - 26, width: w, height: 52, rx: 8, fill: "white", stroke: colour, "stroke-width": 1.5 }),
    svg("text", { x, y: y + 7, "text-anchor": "middle", fill: colour, "font-size": 23 }, text)];
  const steps = STEPS.flatMap(([from, to, name]) => {
    const [a, b] = [NODES[from][0] + half(from), NODES[to][0] - half(to)];
    return [svg("path", { d: `M${a} ${Y}H${b}`, stroke: ink(to), "stroke-width": 2,
                          "marker-end": `url(#flow-${ink(to) === INK ? "ink" : "off"})` }),
            svg("text", { x: (a + b) / 2, y: Y - 8, "text-anchor": "middle", fill: ink(to), "font-size": 18 }, name)];
  });
  const ways = Object.entries(WAYS).flatMap(([term, [d, name, x, y]]) => {
    const on = term in lit, colour = on ? facts.colour : GREY, head = `url(#flow-${on ? "on" : "off"})`;
    const ends: Record<string, string> = { "marker-end": head };
    if (term === "recon" || term === "mut") ends["marker-start"] = head;
    return [svg("path", { d, fill: "none", stroke: colour, "stroke-width": on ? 4 : 1.5, "data-term": term,
                          "data-lit": `${on}`, ...ends }),
            svg("text", { x, y, "text-anchor": "middle", fill: on ? colour : "#718096", "font-size": 21,
                          "font-weight": on ? 700 : 400 }, ...indexedSvg(on ? `${lit[term]} ${name}`.trim() : `${name}: off`))];
  });
  const names = Object.entries(lit).map(([term, weight]) => `${weight}${weight && " "}l_${term}`).join(" + ");
  return svg("svg", { viewBox: "5 18 712 300", role: "img", class: "diagram",
                      "aria-label": shown ? `losses asked: ${names}` : "never shown to this mode" }, ...heads,
    ...steps, ...ways, ...Object.entries(NODES).flatMap(([name, [x, text]]) => box(x, Y, 2 * half(name), text, ink(name))),
    ...Object.entries(HATS).flatMap(([name, tops]) => tops.map(([x, y]) => svg("path", {
      d: `M${x - 6} ${y}l6 -6l6 6`, fill: "none", stroke: ink(name), "stroke-width": 1.8 }))),
    ...box(427, 286, 146, "prior N(0, I)", shown ? INK : GREY));
}
