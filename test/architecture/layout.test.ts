import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';

const ROOT = path.resolve(import.meta.dirname, '../..');
const EFFECT = /-(?:api|loop|flow|store|client|server|fs|process|socket|syscall|tty|worker)\.ts$/;
const WIRING = /^(?:controller\/controller|agent\/agent|cli\/(?:clusterctl|verb-table|[a-z]+-verbs)|(?:controller|agent|cli)\/(?:main|config|metrics))\.ts$/;
const TOP_LEVEL = new Set([
  '.ci', '.git', '.gitattributes', '.gitignore', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', 'agent', 'cli', 'controller', 'deploy', 'dist',
  'docs', 'node_modules', 'package-lock.json', 'package.json', 'proto', 'test', 'tsconfig.json',
]);

function sources(area: string): string[] {
  return readdirSync(path.join(ROOT, area), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => path.join(area, name));
}

test('the top level holds only what was agreed', t => {
  t.deepEqual(readdirSync(ROOT).filter(name => !TOP_LEVEL.has(name)), []);
});

test('files are two folders deep at most in a program: program/area/file.ts', t => {
  t.deepEqual(['controller', 'agent', 'cli'].flatMap(sources).filter(file => file.split('/').length > 3), []);
});

test('file names are kebab-case', t => {
  const odd = ['controller', 'agent', 'cli', 'proto/model', 'proto/codec', 'proto/rpc', 'proto/kit']
    .flatMap(sources).filter(file => !/^[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(path.basename(file)));
  t.deepEqual(odd, []);
});

/** A decision that only declares types has nothing to test. */
const TYPES_ONLY = new Set([
  'proto/model/app.ts', 'proto/model/node.ts', 'proto/model/service.ts', 'proto/model/endpoints.ts', 'proto/model/event.ts', 'proto/model/session.ts',
  'proto/model/tunnel.ts', 'proto/model/node-images.ts', 'proto/model/cluster-plan.ts', 'proto/model/records.ts', 'proto/model/usage.ts', 'proto/model/cluster-snapshot.ts', 'proto/model/times.ts', 'controller/reconcile/plan.ts', 'controller/reconcile/plan-context.ts',
]);

test('each decision file has a mirrored unit test', t => {
  const missing = ['controller', 'agent', 'cli', 'proto/model', 'proto/codec'].flatMap(sources)
    .filter(file => !EFFECT.test(file) && !WIRING.test(file) && !file.endsWith('/ports.ts') && !TYPES_ONLY.has(file))
    .filter(file => !existsSync(path.join(ROOT, 'test/unit', file.replace(/\.ts$/, '.test.ts'))));
  t.deepEqual(missing, []);
});

test('each area that holds code has a README', t => {
  const missing = ['proto', 'controller', 'agent', 'cli', 'deploy', 'test'].filter(area => !existsSync(path.join(ROOT, area, 'README.md')));
  t.deepEqual(missing, []);
});
