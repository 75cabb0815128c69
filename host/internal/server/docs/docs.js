'use strict';

// Makes the page from /openapi.json. Text only ever goes into text nodes.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
  return node;
}

const nameOf = (ref) => ref.split('/').pop();

// typeOf describes a schema in one line, with links to the named ones.
function typeOf(schema) {
  if (!schema) return el('span', {}, 'any');
  if (schema.$ref) return el('a', { href: '#schema-' + nameOf(schema.$ref) }, nameOf(schema.$ref));
  const types = [].concat(schema.type || 'any');
  const span = el('span', {});
  if (types.includes('array')) span.append('list of ', typeOf(schema.items));
  else if (types.includes('object') && typeof schema.additionalProperties === 'object') span.append('map of ', typeOf(schema.additionalProperties));
  else span.append(types.filter((type) => type !== 'null').join(' or '));
  if (schema.format) span.append(' (' + schema.format + ')');
  return span;
}

// notes lists what else a schema says.
function notes(schema) {
  const list = [];
  if (schema.enum) list.push('one of ' + schema.enum.join(', '));
  if (schema.default !== undefined) list.push('default ' + JSON.stringify(schema.default));
  if (schema.minimum !== undefined) list.push('from ' + schema.minimum);
  if (schema.maximum !== undefined) list.push('up to ' + schema.maximum);
  if (schema.examples) list.push('for example ' + schema.examples.map((value) => JSON.stringify(value)).join(', '));
  return list.join('; ');
}

function table(heads, rows) {
  return el('table', {}, el('thead', {}, el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, ...rows.map((row) => el('tr', {}, ...row.map((cell) => el('td', {}, cell))))));
}

function describe(text, more) {
  return el('span', {}, el('span', { class: 'text' }, text || ''), text && more ? ' ' : '', el('span', { class: 'dim' }, more));
}

// exampleOf builds a value from the examples of a schema.
function exampleOf(schema, schemas, depth) {
  if (!schema || depth > 5) return null;
  if (schema.$ref) return exampleOf(schemas[nameOf(schema.$ref)], schemas, depth + 1);
  if (schema.examples) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  const types = [].concat(schema.type || []);
  if (types.includes('object')) {
    const value = {};
    for (const [name, property] of Object.entries(schema.properties || {})) {
      if (name === '$schema') continue;
      if ((schema.required || []).includes(name) || (property.examples)) value[name] = exampleOf(property, schemas, depth + 1);
    }
    return value;
  }
  if (types.includes('array')) return [];
  if (types.includes('boolean')) return false;
  if (types.includes('integer') || types.includes('number')) return 0;
  if (schema.format === 'date-time') return '2026-01-02T15:04:05Z';
  return types.includes('string') ? '' : {};
}

function operationNode(method, path, op, schemas) {
  const node = el('article', { id: op.operationId },
    el('h3', {}, el('span', { class: 'method ' + method }, method), el('code', {}, path)),
    el('p', {}, el('strong', {}, op.summary || '')), el('p', { class: 'text' }, op.description || ''));
  if (op.parameters && op.parameters.length) {
    node.append(el('h4', {}, 'Parameters'), table(['Name', 'In', 'Type', ''], op.parameters.map((parameter) => [
      el('code', {}, parameter.name), parameter.in + (parameter.required ? ', required' : ''), typeOf(parameter.schema),
      describe(parameter.description, notes(parameter.schema || {}))])));
  }
  const media = op.requestBody && op.requestBody.content['application/json'];
  if (media) {
    node.append(el('h4', {}, op.requestBody.required ? 'Body' : 'Body (optional)'), el('p', {}, typeOf(media.schema)),
      el('pre', {}, JSON.stringify(exampleOf(media.schema, schemas, 0), null, 2)));
  }
  node.append(el('h4', {}, 'Answers'), table(['Status', 'Body', ''], Object.entries(op.responses || {}).map(([status, response]) => {
    const content = Object.values(response.content || {})[0];
    return [status, content ? typeOf(content.schema) : '', response.description || ''];
  })));
  return node;
}

function schemaNode(name, schema) {
  const required = schema.required || [];
  return el('article', { id: 'schema-' + name }, el('h3', {}, name), table(['Field', 'Type', ''],
    Object.entries(schema.properties || {}).filter(([field]) => field !== '$schema').map(([field, property]) => [
      el('code', {}, field), el('span', {}, typeOf(property), required.includes(field) ? '' : el('span', { class: 'dim' }, ' optional')),
      describe(property.description, notes(property))])));
}

function render(spec) {
  document.getElementById('title').textContent = spec.info.title + ' API, version ' + spec.info.version;
  const about = document.getElementById('about');
  about.textContent = spec.info.description + ' ';
  about.append(el('a', { href: '/openapi.json' }, 'openapi.json'), ', ', el('a', { href: '/openapi.yaml' }, 'openapi.yaml'));
  const schemas = spec.components.schemas;
  const index = document.getElementById('index');
  const operations = document.getElementById('operations');
  for (const tag of spec.tags) {
    index.append(el('li', { class: 'group' }, tag.name));
    operations.append(el('h2', {}, tag.name), el('p', {}, tag.description || ''));
    for (const [path, methods] of Object.entries(spec.paths)) {
      for (const [method, op] of Object.entries(methods)) {
        if (!op.operationId || !(op.tags || []).includes(tag.name)) continue;
        const verb = method.toUpperCase();
        index.append(el('li', { class: 'operation' }, el('a', { href: '#' + op.operationId },
          el('span', { class: 'method ' + verb }, verb), path.replace('/api/v1', ''))));
        operations.append(operationNode(verb, path, op, schemas));
      }
    }
  }
  for (const name of Object.keys(schemas).sort()) document.getElementById('schemas').append(schemaNode(name, schemas[name]));
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

for (const span of document.querySelectorAll('.origin')) {
  span.textContent = span.classList.contains('ws') ? location.origin.replace(/^http/, 'ws') : location.origin;
}
document.getElementById('filter').addEventListener('input', (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const item of document.querySelectorAll('#index .operation')) {
    const text = item.textContent.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  }
});
fetch('/openapi.json').then((response) => {
  if (!response.ok) throw new Error('openapi.json: ' + response.status);
  return response.json();
}).then(render).catch((error) => { document.getElementById('about').textContent = String(error); });
