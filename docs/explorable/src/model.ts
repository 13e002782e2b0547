// The shipped networks in the page: F and G as ONNX, the terms of Eqs. 4-8, the score of Eq. 15, and the regions.
import * as ort from "onnxruntime-web/wasm";

export const SIDE = 32, PIXELS = SIDE * SIDE;
export const REGIONS = ["normal", "anomalous", "unknown"] as const; // as in regions.py
export type Region = (typeof REGIONS)[number];
const NEAREST = 5, ALPHA = 0.5, CHUNK = 64;

/** What Python says of a run. */
export interface ModelFacts {
  label: string; colour: string; mode: string; anomalies: number; latent: number; codes: number; step: number;
  least_information: number; farthest: number; threshold: number;
  means: [number, number]; // of l_recon and l_mut over held-out normal images
  lit: [Record<string, string>, Record<string, string>]; // the losses asked of a normal image, of an anomaly
}
export interface Measured { l_recon: number[]; l_mut: number[]; l_enc1: number[]; distance: number[]; region: number[] }
export interface Facts {
  models: Record<string, ModelFacts>;
  digits: { labels: number[]; categories: number[]; turning: number[] };
  mnist: { labels: number[]; categories: number[]; measured: Record<string, Measured> };
  colours: { normal: string; novel: string };
}
/** An image's way through the network, and what is measured on it. */
export interface Examined {
  mu: Float32Array; logVar: Float32Array; xHat: Float32Array; muRe: Float32Array; logVarRe: Float32Array;
  l_recon: number; l_enc1: number; l_enc2: number; l_mut: number; score: number; distance: number; region: Region;
}

/** A file's bytes, unzipped unless the server has done so. */
async function unzipped(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function startRuntime(): Promise<void> {
  ort.env.wasm.numThreads = 1; // more need headers that a plain static server does not send
  ort.env.wasm.wasmPaths = { mjs: new URL("ort.js", document.baseURI).href };
  ort.env.wasm.wasmBinary = await unzipped("ort.wasm.gz");
}

let turn: Promise<unknown> = Promise.resolve(); // the runtime takes one batch at a time: runs that overlap share its stack

export class Model {
  private constructor(readonly name: string, readonly facts: ModelFacts, private encoder: ort.InferenceSession,
                      private decoder: ort.InferenceSession, private codes: Float32Array) {}

  static async load(name: string, facts: ModelFacts): Promise<Model> {
    const files = ["encoder.onnx", "decoder.onnx", "codes"].map((part) => unzipped(`${name}-${part}.gz`));
    const [encoder, decoder, levels] = await Promise.all(files);
    const codes = Float32Array.from(new Int8Array(levels.buffer), (level) => level * facts.step);
    return new Model(name, facts, await ort.InferenceSession.create(encoder), await ort.InferenceSession.create(decoder),
                     codes);
  }

  private run(session: ort.InferenceSession, feeds: Record<string, ort.Tensor>): Promise<Record<string, Float32Array>> {
    const result = turn.then(() => session.run(feeds));
    turn = result.catch(() => undefined);
    return result.then((outputs) => Object.fromEntries(
      Object.entries(outputs).map(([key, tensor]) => [key, tensor.data as Float32Array])));
  }

  /** q(z|x) of images (N, 1, 32, 32) in [0, 1]. */
  async encode(x: Float32Array): Promise<{ mu: Float32Array; logVar: Float32Array }> {
    const shape = [x.length / PIXELS, 1, SIDE, SIDE];
    const { mu, log_var } = await this.run(this.encoder, { x: new ort.Tensor("float32", x, shape) });
    return { mu, logVar: log_var };
  }

  /** G(z) of codes (N, D). */
  async decode(z: Float32Array): Promise<Float32Array> {
    const shape = [z.length / this.facts.latent, this.facts.latent];
    return (await this.run(this.decoder, { z: new ort.Tensor("float32", z, shape) })).x_hat;
  }

  /** Code, reconstruction, second code and terms of each image, with z = mu. */
  async examine(images: Float32Array[]): Promise<Examined[]> {
    const results: Examined[] = [];
    for (let start = 0; start < images.length; start += CHUNK) {
      const chunk = images.slice(start, start + CHUNK);
      const { mu, logVar } = await this.encode(joined(chunk));
      const xHat = await this.decode(mu), second = await this.encode(xHat), D = this.facts.latent;
      chunk.forEach((x, i) => {
        const at = (values: Float32Array, size: number) => values.slice(i * size, (i + 1) * size);
        results.push(this.measured(x, at(mu, D), at(logVar, D), at(xHat, PIXELS), at(second.mu, D), at(second.logVar, D)));
      });
    }
    return results;
  }

  private measured(x: Float32Array, mu: Float32Array, logVar: Float32Array, xHat: Float32Array, muRe: Float32Array,
                   logVarRe: Float32Array): Examined {
    const l_recon = x.reduce((sum, pixel, i) => sum + Math.abs(pixel - xHat[i]), 0);
    const l_mut = bhattacharyya(mu, logVar, muRe, logVarRe), l_enc1 = information(mu, logVar);
    const [recon, mut] = this.facts.means, score = ALPHA * l_mut / mut + (1 - ALPHA) * l_recon / recon;
    return { mu, logVar, xHat, muRe, logVarRe, l_recon, l_enc1, l_enc2: information(muRe, logVarRe), l_mut, score,
             ...this.place(mu, l_enc1) };
  }

  /** The region of a code, by its information and the mean distance to the nearest codes of training images. */
  place(mu: Float32Array, l_enc1: number): { distance: number; region: Region } {
    const n = this.facts.codes, squares = new Float64Array(n);
    mu.forEach((value, d) => {
      for (let i = 0, at = d * n; i < n; i++, at++) squares[i] += (value - this.codes[at]) ** 2;
    });
    const near = squares.sort().subarray(0, NEAREST), distance = near.reduce((sum, s) => sum + Math.sqrt(s), 0) / near.length;
    const known = distance <= this.facts.farthest ? "normal" : "anomalous";
    return { distance, region: l_enc1 < this.facts.least_information ? "unknown" : known };
  }
}

export function joined(images: Float32Array[]): Float32Array {
  const all = new Float32Array(images.length * images[0].length);
  images.forEach((image, i) => all.set(image, i * image.length));
  return all;
}

/** KL[N(mu, Sigma) || N(0, I)] in nats (Eqs. 5, 7). */
export function information(mu: Float32Array, logVar: Float32Array): number {
  return mu.reduce((sum, m, d) => sum + 0.5 * (m * m + Math.expm1(logVar[d]) - logVar[d]), 0);
}

/** D_JS of Eq. 8 as the package reads it: the Bhattacharyya distance, in nats. */
function bhattacharyya(muP: Float32Array, logVarP: Float32Array, muQ: Float32Array, logVarQ: Float32Array): number {
  return muP.reduce((sum, m, d) => {
    const variances = Math.exp(logVarP[d]) + Math.exp(logVarQ[d]), half = 0.5 * (logVarP[d] - logVarQ[d]);
    return sum + (m - muQ[d]) ** 2 / (4 * variances) + 0.25 * Math.log1p(Math.sinh(half) ** 2);
  }, 0);
}
