import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { parseNodeId } from '#model/ids.ts';
import type { NodeImage } from '#model/node-images.ts';
import { imageRows, isMeant, requireImage } from '../../../cli/node-images.ts';
import type { ImageOnNode } from '../../../cli/node-images.ts';

const A = parseDigest(`sha256:${'a1'.repeat(32)}`);
const B = parseDigest(`sha256:${'b2'.repeat(32)}`);

function image(digest: typeof A, names: readonly string[]): NodeImage {
  return { digest, names, sizeBytes: 1, pulledAtMs: 1, usedAtMs: 2, layers: [], tasks: [], config: { user: '', environment: [], entrypoint: [], command: [], workingDir: '/', stopSignal: '' } };
}
const on = (node: string, one: NodeImage): ImageOnNode => ({ node: parseNodeId(node), image: one });

test('an image on several nodes is one row with all its names, by name, those without one last', t => {
  const rows = imageRows([on('n2', image(B, [])), on('n2', image(A, ['r/web:2'])), on('n1', image(A, ['r/web:1']))]);
  t.deepEqual(rows.map(row => [row.digest, row.names, row.nodes.map(({ node }) => node)]), [[A, ['r/web:1', 'r/web:2'], ['n1', 'n2']], [B, [], ['n2']]]);
});

const means = test.macro({
  exec(t, text: string, expected: boolean) { t.is(isMeant(text, { digest: A, names: ['r.test:5000/team/web:1.2', 'docker.io/library/nginx:latest'] }), expected); },
  title: (name = '') => `isMeant: ${name}`,
});
test('the whole name', means, 'r.test:5000/team/web:1.2', true);
test('a name without registry', means, 'team/web:1.2', true);
test('the last part', means, 'web:1.2', true);
test('half a part', means, 'eb:1.2', false);
test('another tag', means, 'web:1', false);
test('no tag is latest', means, 'nginx', true);
test('no tag where there is no latest', means, 'web', false);
test('the digest', means, A, true);
test('a beginning of it', means, 'a1a1', true);
test('with the algorithm', means, 'sha256:a1a1a1', true);
test('too short a beginning', means, 'a1a', false);
test('another digest', means, B, false);
test('name and digest', means, `web@${A}`, true);
test('another name and the digest', means, `api@${A}`, false);

test('none and several are refused', t => {
  const rows = imageRows([on('n1', image(A, ['r/web:1'])), on('n1', image(B, ['s/web:1']))]);
  t.is(requireImage('r/web:1', rows).digest, A);
  t.throws(() => requireImage('api', rows), { code: 'NOT_FOUND', message: /no image 'api'|no image "api"/ });
  t.throws(() => requireImage('web:1', rows), { code: 'INVALID_ARGUMENT', message: /means 2 images: .*name one by its digest/ });
});
