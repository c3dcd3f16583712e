import test from 'ava';
import { checkNamespacePolicy, DEFAULT_NAMESPACE_POLICY, findPrefixProblem, isBelowPrefix } from '#model/namespace.ts';
import type { NamespacePolicy } from '#model/namespace.ts';
import { appOf, manifest } from '../../../support/manifest.ts';

const pathsOf = (web: object, policy: Partial<NamespacePolicy> = {}): readonly string[] =>
  checkNamespacePolicy(appOf(manifest(web)), { ...DEFAULT_NAMESPACE_POLICY, ...policy }).map(({ path, message }) => `${path}: ${message}`);
const privileged = { security: { profile: 'privileged' } };
const restricted = { security: { profile: 'restricted', user: '1000' } };

test('without a policy: baseline at most, no host path', t => {
  t.deepEqual(pathsOf({}), []);
  t.deepEqual(pathsOf(restricted), []);
  t.deepEqual(pathsOf(privileged), ["services.web.security.profile: profile 'privileged' is not allowed in this Namespace; use baseline or restricted, or an operator allows it: clusterctl namespace set default --profile privileged"]);
  t.deepEqual(pathsOf({ volumes: ['/srv:/x'] }), ["services.web.volumes[0].source: host path '/srv' is not allowed in this Namespace; use a declared volume, or an operator allows it: clusterctl namespace set default --bind-prefix /srv"]);
});
test('a namespace may be narrower or wider', t => {
  t.deepEqual(pathsOf({}, { profile: 'restricted' }), ["services.web.security.profile: profile 'baseline' is not allowed in this Namespace; use restricted, or an operator allows it: clusterctl namespace set default --profile baseline"]);
  t.deepEqual(pathsOf(privileged, { profile: 'privileged' }), []);
});
test('host paths under a prefix', t => {
  const bindPrefixes = ['/srv/data'];
  t.deepEqual(pathsOf({ volumes: ['/srv/data:/x', '/srv/data/a:/y'] }, { bindPrefixes }), []);
  t.is(pathsOf({ volumes: ['/srv/database:/x'] }, { bindPrefixes }).length, 1);
  t.true(isBelowPrefix('/anything', ['/']));
});
test('prefixes are clean and absolute', t => {
  t.is(findPrefixProblem(['/', '/srv/data']), undefined);
  t.deepEqual(['srv', '/srv/', '/srv/../etc', '/a//b', '', '/a\nb'].filter(one => findPrefixProblem([one]) === undefined), []);
  t.not(findPrefixProblem(Array.from({ length: 65 }, (_, index) => `/p${String(index)}`)), undefined);
});
