// Writes schema.json: the types of dashboard.ts as a JSON Schema. What occurs more
// than once is written once, and descriptions are left out.
import { writeFileSync } from 'node:fs';
import { createGenerator } from 'ts-json-schema-generator';

const schema = createGenerator({
  path: 'dashboard.ts', tsconfig: 'tsconfig.json', type: 'Dashboard',
  topRef: false, expose: 'none', jsDoc: 'none', sortProps: true,
}).createSchema('Dashboard');

const seen = new Map();
const visit = (node, fn) => {
  if (node === null || typeof node !== 'object') return node;
  for (const [key, child] of Object.entries(node)) node[key] = visit(child, fn);
  return fn(node);
};
// A list of properties is no schema, even if one of them is called type.
const isSchema = (node) => typeof node.type === 'string' || Array.isArray(node.type) || Array.isArray(node.anyOf);
const long = (node) => isSchema(node) && JSON.stringify(node).length > 150;

visit(structuredClone(schema), (node) => {
  if (long(node)) seen.set(JSON.stringify(node), (seen.get(JSON.stringify(node)) ?? 0) + 1);
  return node;
});
const names = new Map();
const definitions = {};
const hoist = (node) => {
  for (const [key, child] of Object.entries(node)) {
    if (child !== null && typeof child === 'object') node[key] = replace(child);
  }
  return node;
};
const replace = (node) => {
  const text = JSON.stringify(node);
  if (!(seen.get(text) > 1)) return hoist(node);
  if (!names.has(text)) {
    names.set(text, `d${names.size + 1}`);
    const name = names.get(text);
    definitions[name] = hoist(node);
  }
  return { $ref: `#/definitions/${names.get(text)}` };
};
const out = hoist(schema);
out.$comment = 'Written by "npm run schema" from the types of @grafana/schema, which is licensed under the Apache License 2.0.';
out.definitions = definitions;
writeFileSync('schema.json', JSON.stringify(out, null, 1) + '\n');
