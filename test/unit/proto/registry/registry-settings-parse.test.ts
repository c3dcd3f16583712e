import test from 'ava';
import { NO_REGISTRY_SETTINGS, parseRegistrySettings } from '#registry/registry-settings-parse.ts';

test('nothing given, nothing set', t => { t.deepEqual(parseRegistrySettings({}), NO_REGISTRY_SETTINGS); });

test('mirrors keep their order, by registry', t => {
  t.deepEqual(parseRegistrySettings({ 'plain-registries': 'a:1, b', 'registry-mirrors': 'docker.io=m:1,ghcr.io=g,docker.io=n', 'token-hosts': 'r=auth.r' }), {
    plainRegistries: ['a:1', 'b'], mirrors: new Map([['docker.io', ['m:1', 'n']], ['ghcr.io', ['g']]]), tokenHosts: new Map([['r', ['auth.r']]]),
  });
});

const refuses = test.macro({
  exec(t, given: Parameters<typeof parseRegistrySettings>[0], message: RegExp) { t.throws(() => parseRegistrySettings(given), { code: 'INVALID_ARGUMENT', message }); },
  title: (name = '') => `refused: ${name}`,
});
test('a URL', refuses, { 'plain-registries': 'http://a' }, /--plain-registries "http:\/\/a" is not a host or host:port/);
test('no host after the sign', refuses, { 'registry-mirrors': 'docker.io=' }, /is not REGISTRY=HOST/);
test('two signs', refuses, { 'token-hosts': 'a=b=c' }, /is not REGISTRY=HOST/);
test('a mirror with a path', refuses, { 'registry-mirrors': 'docker.io=m/v2' }, /is not a host/);
