// node view.cjs VIEW.json RESOURCES.ndjson...: the rows of a SQL-on-FHIR view, as JSON lines, by Medplum's runner.
const fs = require("node:fs");
globalThis.WebSocket ??= class {}; // Medplum's client wants one when it is loaded; Node has it from version 22 on
const { evalSqlOnFhir } = require("@medplum/core");

const [view, ...files] = process.argv.slice(2);
const lines = files.flatMap((file) => fs.readFileSync(file, "utf8").split("\n")).filter(Boolean);
for (const row of evalSqlOnFhir(JSON.parse(fs.readFileSync(view, "utf8")), lines.map((line) => JSON.parse(line)))) {
  console.log(JSON.stringify(row));
}
