// Bundles the API explorer (GraphiQL, out of node_modules) into dist/pages: everything that the page needs comes
// from this server, so that it works without any other network.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = `${root}pages/graphiql`;
const target = `${root}dist/pages/graphiql`;
const publicPath = '/pages/graphiql';

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  metafile: true,
  format: 'esm',
  target: 'es2022',
  outdir: target,
  entryNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  publicPath,
  legalComments: 'linked',
  logLevel: 'error',
  loader: { '.ttf': 'file', '.woff2': 'file', '.woff': 'file' },
  define: { 'process.env.NODE_ENV': '"production"' },
};

/** By the label that the editor asks for them with. */
const workerEntries = {
  editor: 'monaco-editor/esm/vs/editor/editor.worker.js',
  json: 'monaco-editor/esm/vs/language/json/json.worker.js',
  graphql: 'monaco-graphql/esm/graphql.worker.js',
};

/** File names that an entry point became, by their extension. */
function outputsOf({ metafile }, entry) {
  const outputs = Object.entries(metafile.outputs);
  const [file, { cssBundle }] = outputs.find(([, output]) => output.entryPoint?.endsWith(entry));
  return { js: basename(file), css: cssBundle && basename(cssBundle) };
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });

const workers = {};
for (const [label, entry] of Object.entries(workerEntries)) {
  const built = await build({ ...common, entryPoints: { [`${label}.worker`]: entry } });
  workers[label] = `${publicPath}/${outputsOf(built, entry).js}`;
}

const page = await build({
  ...common,
  entryPoints: [`${source}/main.js`],
  define: { ...common.define, WORKER_FILES: JSON.stringify(workers) },
  splitting: true,
});
const { js, css } = outputsOf(page, 'pages/graphiql/main.js');
const html = await readFile(`${source}/index.html`, 'utf8');
await writeFile(
  `${target}/index.html`,
  html
    .replace('{{main.js}}', `${publicPath}/${js}`)
    .replace('{{main.css}}', `${publicPath}/${css}`),
);
process.stdout.write(`${relative(root, target)}\n`);
