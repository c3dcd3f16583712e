import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { normalizeImageReference, parseImageReference } from '#model/image-reference.ts';
import { lookUp } from '../../../../controller/api/digest-flow.ts';
import { explainLookup } from '../../../../controller/api/image-lookup.ts';
import type { ImageLookup } from '../../../../controller/api/image-lookup.ts';

const NOT_FOUND = new ClusterError('NOT_FOUND', 'not found');

function lookup(written: string, defaultRegistry: string): ImageLookup {
  const parsed = parseImageReference(written);
  if ('problem' in parsed) {
    throw new RangeError(parsed.problem);
  }
  return { written, parsed: parsed.value, reference: normalizeImageReference(parsed.value, defaultRegistry) };
}

test('an image without a registry is told by the whole name that was tried, and what to write', t => {
  t.like(explainLookup(NOT_FOUND, lookup('web:1', 'docker.io')), {
    code: 'NOT_FOUND',
    message: "not found; 'web:1' names no registry, so docker.io/library/web:1 was tried: push it there, or write the registry in front of it, as in registry.example:5000/web:1",
  });
  t.regex(explainLookup(NOT_FOUND, lookup('shop/web', 'r:5000')).message, /so r:5000\/shop\/web:latest was tried/);
});
test('one with its registry needs no more words', t => {
  t.is(explainLookup(NOT_FOUND, lookup('r:5000/web:1', 'docker.io')), NOT_FOUND);
});
test('what is no refusal passes as it is', async t => {
  const broken = new RangeError('broken');
  t.is(await t.throwsAsync(lookUp(lookup('web', 'docker.io'), () => Promise.reject(broken))), broken);
  t.is(await lookUp(lookup('web', 'docker.io'), () => Promise.resolve(1)), 1);
  t.regex((await t.throwsAsync(lookUp(lookup('web', 'docker.io'), () => Promise.reject(NOT_FOUND)))).message, /names no registry/);
});
