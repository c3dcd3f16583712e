import test from 'ava';
import type { Digest } from '#model/digest.ts';
import { isGranted, neededProof, originOf, partialName } from '../../../../agent/image/layer-proof.ts';

const [DIGEST, OTHER] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`] as [Digest, Digest];
const at = (registry: string, repository: string, digest = DIGEST): Parameters<typeof originOf>[0] => ({ registry, repository, digest });
const PRIVATE = originOf(at('reg.test', 'team/secret'));

for (const [what, origins, place, proof] of [
  ['pulled from this very repository', [PRIVATE], at('reg.test', 'team/secret'), 'none'],
  ['another repository of the registry that gave it', [PRIVATE], at('reg.test', 'team/other'), 'ask-registry'],
  ['a registry that never gave it, whatever it claims', [PRIVATE], at('evil.test', 'team/secret'), 'fetch'],
  ['a registry whose name only begins so', [PRIVATE], at('reg.tes', 't/team/secret'), 'fetch'],
  ['another port is another registry', [PRIVATE], at('reg.test:5000', 'team/secret'), 'fetch'],
  ['another blob of the same registry', [PRIVATE], at('reg.test', 'team/other', OTHER), 'fetch'],
  ['a layer of a record without origins', [], at('reg.test', 'team/secret'), 'fetch'],
] as const) {
  test(`${what}: ${proof}`, t => { t.is(neededProof(origins, place), proof); });
}

test('partial downloads of one blob are apart by registry and repository', t => {
  t.is(partialName(at('reg.test', 'a')), partialName(at('reg.test', 'a')));
  t.is(new Set([at('reg.test', 'a'), at('reg.test', 'b'), at('evil.test', 'a'), at('reg.test', 'a', OTHER)].map(partialName)).size, 4);
});

test('an image that some namespaces were let in for is theirs alone; one that needed no login is for all', t => {
  t.deepEqual([isGranted(['team'], 'team'), isGranted(['team'], 'evil'), isGranted([], 'team'), isGranted(undefined, 'evil')], [true, false, false, true]);
});
