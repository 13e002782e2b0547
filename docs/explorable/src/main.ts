// Loads what Python exported, and sets up the four figures.
import { AlphaFigure } from "./alpha";
import { redraws } from "./draw";
import { likeDigits, likeMnist, readSheet, rotated } from "./images";
import { type Facts, Model, startRuntime } from "./model";
import { ModesFigure } from "./modes";
import { pad } from "./pad";
import { PlaneFigure } from "./plane";
import { TurningFigure } from "./turning";

const place = (id: string) => document.querySelector<HTMLElement>(`#${id} .figure`)!;
const status = document.querySelector<HTMLElement>("#status")!;

/** The buttons "the expected" and "the strange" of a figure. */
function steps(id: string, actions: (() => void)[]): void {
  document.querySelectorAll<HTMLButtonElement>(`#${id} .steps button`).forEach((button, i) => {
    button.addEventListener("click", actions[i]);
  });
}

async function start(): Promise<void> {
  const facts: Facts = await (await fetch("facts.json")).json();
  const [, digits, mnist] = await Promise.all([startRuntime(), readSheet("digits.png", facts.digits.labels.length),
                                               readSheet("mnist.png", facts.mnist.labels.length)]);
  const alpha = new AlphaFigure(facts, mnist, place("alpha"));
  const models: Record<string, Model> = { plane: await Model.load("plane", facts.models.plane) };
  const codes = await models.plane.examine(digits), eight = facts.digits.turning[0];
  const plane = new PlaneFigure(models.plane, facts, codes, place("plane"));
  const turning = new TurningFigure(models.plane, facts, digits, codes, place("turning"));
  for (const name of Object.keys(facts.mnist.measured)) models[name] = await Model.load(name, facts.models[name]);
  const modes = new ModesFigure(facts, models, mnist, place("modes"));
  const strange = codes.findIndex(({ region }, i) => facts.digits.labels[i] && region === "anomalous");
  steps("plane", [() => plane.move([...codes[eight].mu]), () => plane.move([...codes[strange].mu])]);
  steps("modes", modes.steps);
  steps("alpha", alpha.steps);
  pad(document.querySelector("#pad")!, (ink) => {
    const [small, large] = [ink && likeDigits(ink), ink && likeMnist(ink)];
    document.querySelector<HTMLElement>("#sent")!.hidden = !small;
    void plane.show(small);
    if (small) void turning.turn(small, true); else turning.reset();
    if (large) void modes.show(large, true); else modes.reset();
  });
  const sets: Record<string, Float32Array[]> = { digits, mnist };
  Object.assign(window, { explorable: { // for the tests, and for whoever opens the console
    examine: (model: string, set: string, indices: number[], degrees: number[]) =>
      models[model].examine(indices.map((i, n) => degrees[n] ? rotated(sets[set][i], degrees[n]) : sets[set][i])),
    scores: (at: number) => alpha.scores(at), redraws } });
  status.remove();
  document.body.dataset.ready = "true";
}

start().catch((error: Error) => {
  status.textContent = `The page could not start: ${error.message}`;
  throw error;
});
