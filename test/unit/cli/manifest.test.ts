import test from 'ava';
import { formatProblem } from '../../../cli/manifest-problem.ts';
import { parseManifests, readAppNames, readManifests } from '../../../cli/manifest.ts';
import type { ManifestFile } from '../../../cli/manifest.ts';

const APP = (name: string, rest = ''): string => `apiVersion: gantry/v1\nkind: App\nmetadata: { name: ${name} }\nservices:\n  web:\n    image: nginx\n${rest}`;
const file = (name: string, text: string): ManifestFile => ({ name, bytes: Buffer.from(text) });

function read(...files: readonly ManifestFile[]): { readonly apps: readonly string[]; readonly lines: readonly string[] } {
  const { apps, problems } = readManifests(parseManifests(files, new Map()), 'default', () => new Map());
  return { apps: apps.map(({ app }) => app.name), lines: problems.map(formatProblem) };
}

test('several files and documents, in their order', t => {
  t.deepEqual(read(file('b.yaml', `${APP('one')}---\n${APP('two')}`), file('a.yaml', APP('three'))), { apps: ['one', 'two', 'three'], lines: [] });
});

test('all problems in file order, with documents counted from 0', t => {
  const text = `${APP('one', '    replicas: -1\n')}---\n${APP('Two', '    bogus: 1\n')}`;
  t.deepEqual(read(file('f.yaml', text)).lines.map(line => line.replace(/: .*/, '')), ['f.yaml:7:5 [0].services.web.replicas', 'f.yaml:11:13 [1].metadata.name', 'f.yaml:15:5 [1].services.web.bogus']);
});

test('an App twice names both places, over files too', t => {
  t.deepEqual(read(file('a.yaml', APP('one')), file('b.yaml', APP('one'))).lines, ["b.yaml:3:13 metadata.name: App 'one' is already declared at a.yaml:3"]);
});

test('an empty document beside another is no problem', t => {
  t.deepEqual(read(file('f.yaml', `# nothing\n---\n---\n${APP('one')}`)), { apps: ['one'], lines: [] });
});

test('environment values keep their source text', t => {
  const text = APP('one', '    environment: { A: 1.10, B: true, C: 0755, D: "x" }\n');
  const { apps } = readManifests(parseManifests([file('f.yaml', text)], new Map()), 'default', () => new Map());
  t.deepEqual(apps[0]?.app.services[0]?.container.environment.map(({ value }) => value), ['1.10', 'true', '0755', 'x']);
});

test('limits of size', t => {
  t.deepEqual(read(file('f.yaml', `${APP('one')}# ${'x'.repeat(1024 * 1024)}\n`)).lines, ['f.yaml:1:1 (document): a document is at most 1 MiB']);
  t.regex(read(file('f.yaml', 'x'.repeat(8 * 1024 * 1024 + 1))).lines[0] ?? '', /an apply is at most 8 MiB/);
});

test('UTF-16 is no UTF-8', t => {
  t.regex(read({ name: 'f.yaml', bytes: Buffer.from(`\ufeff${APP('one')}`, 'utf16le') }).lines[0] ?? '', /^f\.yaml:1:1 \(encoding\): not valid UTF-8 at byte 0; a manifest is YAML text$/);
});

function names(text: string, variables: Record<string, string> = {}): { readonly apps: readonly string[]; readonly lines: readonly string[] } {
  const { apps, problems } = readAppNames(parseManifests([file('f.yaml', text)], new Map(Object.entries(variables))), 'default');
  return { apps: apps.map(app => `${app.namespace}/${app.name}`), lines: problems.map(formatProblem) };
}

test('the names of Apps need no value of a variable in a service, and no service that is right', t => {
  t.deepEqual(names(APP('one', '    replicas: "${COUNT}"\n    bogus: 1\n')), { apps: ['default/one'], lines: [] });
  t.deepEqual(names(`${APP('one')}---\n${APP('two', '    environment: { A: "${A}" }\n')}`), { apps: ['default/one', 'default/two'], lines: [] });
});

test('a variable in the name of an App needs a value', t => {
  t.regex(names(APP('"${NAME}"')).lines.join('\n'), /^f\.yaml:3:19 metadata\.name: variable NAME is not set; give --var NAME=/m);
  t.deepEqual(names(APP('"${NAME}"'), { NAME: 'one' }), { apps: ['default/one'], lines: [] });
});

test('a document that is no App has no name', t => {
  t.regex(names('kind: Pod\nmetadata: { name: x }\n').lines.join('\n'), /apiVersion: required[^]*kind: /);
});
