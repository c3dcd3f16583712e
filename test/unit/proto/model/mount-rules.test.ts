import test from 'ava';
import { findTargetProblem } from '#model/mount-rules.ts';
import { manifest, violationsOf } from '../../../support/manifest.ts';

test('clean absolute paths are targets', t => {
  t.deepEqual(['/data', '/procfs', '/a/b.c', '/...'].map(findTargetProblem), [undefined, undefined, undefined, undefined]);
});

for (const target of ['', 'data', '/data/', '/a//b', '/a/../b', '/a/./b', '/a\nb']) {
  test(`${JSON.stringify(target)} is not clean`, t => { t.regex(findTargetProblem(target) ?? 'accepted', /clean absolute path/); });
}
for (const target of ['/', '/proc', '/proc/sys', '/sys', '/dev', '/dev/shm']) {
  test(`${target} is protected`, t => { t.regex(findTargetProblem(target) ?? 'accepted', /protected/); });
}

test('a target is used once, whatever is mounted', t => {
  const [violation] = violationsOf(manifest({ configs: [{ source: 'c', target: '/x' }], volumes: ['v:/x'] }, { configs: { c: { content: '' } }, volumes: { v: {} } }));
  t.deepEqual(violation, { path: 'services.web.volumes[0]', message: "'/x' is already the target of configs[0]" });
});

test('sources are declared', t => {
  const violations = violationsOf(manifest({ configs: ['confg'], secrets: ['s'], volumes: ['v:/data'] }, { configs: { config: { content: '' } } }));
  t.deepEqual(violations.map(({ message }) => message), [
    "'confg' is no config of this App; did you mean 'config'?", "'s' is no secret of this App; declare it under secrets", "'v' is no volume of this App; declare it under volumes",
  ]);
});

test('a host path is clean and absolute; whether it is allowed is the namespace\'s word', t => {
  t.deepEqual(violationsOf(manifest({ volumes: ['/srv/x:/x'] })), []);
  for (const bad of ['./x:/x', '/srv/../etc:/x', '/srv/:/x', '/srv//y:/x']) {
    t.regex(violationsOf(manifest({ volumes: [bad] }))[0]?.message ?? '', /host path .* is not allowed/, bad);
  }
});

test('ids of a file are at most 2^31 - 1', t => {
  const file = (uid: number): object => manifest({ configs: [{ source: 'c', uid }] }, { configs: { c: { content: '' } } });
  t.deepEqual(violationsOf(file(2_147_483_647)), []);
  t.is(violationsOf(file(2_147_483_648))[0]?.path, 'services.web.configs[0].uid');
});
