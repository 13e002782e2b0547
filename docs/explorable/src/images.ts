// Images of 32 x 32 grey levels in [0, 1]: from a sheet, turned, drawn by hand, and shown.
import { PIXELS, SIDE } from "./model";

const PER_ROW = 20;

/** The n images of a sheet, PER_ROW in a row. */
export async function readSheet(url: string, n: number): Promise<Float32Array[]> {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const canvas = new OffscreenCanvas(picture.width, picture.height), context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(picture, 0, 0);
  return Array.from({ length: n }, (_, i) => {
    const [x, y] = [(i % PER_ROW) * SIDE, Math.floor(i / PER_ROW) * SIDE];
    const { data } = context.getImageData(x, y, SIDE, SIDE);
    return Float32Array.from({ length: PIXELS }, (_, p) => data[4 * p] / 255);
  });
}

/** As datasets.shifts.rotated: anticlockwise about the centre, bilinear, black outside, in 256 grey levels. */
export function rotated(image: Float32Array, degrees: number): Float32Array {
  const [cos, sin] = [Math.cos, Math.sin].map((f) => f(degrees * Math.PI / 180));
  const levels = Array.from(image, (grey) => Math.round(255 * grey)); // whole numbers: halves round as in Python
  const pixel = (i: number, j: number) => i < 0 || j < 0 || i >= SIDE || j >= SIDE ? 0 : levels[i * SIDE + j];
  return Float32Array.from({ length: PIXELS }, (_, p) => {
    const x = (p % SIDE) - (SIDE - 1) / 2, y = Math.floor(p / SIDE) - (SIDE - 1) / 2;
    const [u, v] = [cos * x - sin * y + (SIDE - 1) / 2, sin * x + cos * y + (SIDE - 1) / 2];
    const [j, i] = [Math.floor(u), Math.floor(v)], [s, t] = [u - j, v - i];
    const grey = (1 - t) * ((1 - s) * pixel(i, j) + s * pixel(i, j + 1))
      + t * ((1 - s) * pixel(i + 1, j) + s * pixel(i + 1, j + 1));
    const below = Math.floor(grey), half = grey - below === 0.5;
    return (half ? below + below % 2 : Math.round(grey)) / 255;
  });
}

/** Shows an image on a canvas; null clears it. */
export function paint(canvas: HTMLCanvasElement, image: Float32Array | null): void {
  canvas.width = canvas.height = SIDE;
  if (!image) return;
  const context = canvas.getContext("2d")!, pixels = context.createImageData(SIDE, SIDE);
  for (let p = 0; p < PIXELS; p++) pixels.data.fill(255 * image[p], 4 * p, 4 * p + 3).fill(255, 4 * p + 3, 4 * p + 4);
  context.putImageData(pixels, 0, 0);
}

/** Ink in the way of a data set: MNIST's digits are 20 of 28 pixels high; scikit-learn's fill 8 x 8 and are blurred. */
export interface Ink { pixels: Float32Array; side: number }

export function likeMnist(ink: Ink): Float32Array | null {
  return fitted(ink, SIDE, SIDE * 20 / 28);
}

export function likeDigits(ink: Ink): Float32Array | null {
  const small = fitted(ink, 8, 8);
  return small && Float32Array.from({ length: PIXELS }, (_, p) => { // bilinear, as datasets.images.resize
    const place = (at: number) => Math.min(7, Math.max(0, (at + 0.5) / 4 - 0.5));
    const [x, y] = [place(p % SIDE), place(Math.floor(p / SIDE))], [j, i] = [Math.floor(x), Math.floor(y)];
    const at = (i: number, j: number) => small[8 * Math.min(i, 7) + Math.min(j, 7)], [s, t] = [x - j, y - i];
    return (1 - t) * ((1 - s) * at(i, j) + s * at(i, j + 1)) + t * ((1 - s) * at(i + 1, j) + s * at(i + 1, j + 1));
  });
}

/** The box around the ink, scaled to `size` and centred on a grid of n x n; each pixel is the mean of what it covers. */
function fitted({ pixels, side }: Ink, n: number, size: number): Float32Array | null {
  const inked = [...pixels.keys()].filter((p) => pixels[p] > 0.1);
  if (!inked.length) return null;
  const xs = inked.map((p) => p % side), ys = inked.map((p) => Math.floor(p / side));
  const range = (values: number[]) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [side, 0]);
  const [left, right] = range(xs), [top, bottom] = range(ys);
  const scale = Math.max(right - left + 1, bottom - top + 1, side / 6) / size; // ink pixels per pixel; a dot stays a dot
  const [x0, y0] = [(left + right + 1) / 2 - n * scale / 2, (top + bottom + 1) / 2 - n * scale / 2];
  return Float32Array.from({ length: n * n }, (_, p) => {
    const [x, y] = [x0 + (p % n) * scale, y0 + Math.floor(p / n) * scale];
    let sum = 0, count = 0;
    for (let i = Math.floor(y); i < y + scale; i++) {
      for (let j = Math.floor(x); j < x + scale; j++, count++) {
        if (i >= 0 && j >= 0 && i < side && j < side) sum += pixels[i * side + j];
      }
    }
    return Math.min(1, sum / count);
  });
}
