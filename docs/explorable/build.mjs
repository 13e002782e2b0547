// Bundles src/ into site/page.js and puts the runtime beside it, its WASM zipped: `npm ci --ignore-scripts && node build.mjs [FOLDER]`.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const folder = process.argv[2] ?? "site";
mkdirSync(folder, { recursive: true });
await build({
  entryPoints: ["src/main.ts"], outfile: `${folder}/page.js`, bundle: true, format: "esm", target: "es2022",
  minify: true, legalComments: "eof", logLevel: "warning",
});
const runtime = "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded"; // without WebGPU: 11 MB, zipped 2.9
copyFileSync(`${runtime}.mjs`, `${folder}/ort.js`);
writeFileSync(`${folder}/ort.wasm.gz`, gzipSync(readFileSync(`${runtime}.wasm`), { level: 9 }));
