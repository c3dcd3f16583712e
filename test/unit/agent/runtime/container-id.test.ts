import test from 'ava';
import { isContainerId, requireContainerId } from '../../../../agent/runtime/container-id.ts';

for (const id of ['a', '0', 'abc-1', 'a'.repeat(63)]) {
  test(`${id.slice(0, 8)} (${String(id.length)}) is an id`, t => { t.is(requireContainerId(id), id); });
}
for (const id of ['', '.', '..', '-a', 'A', 'a/b', 'a.b', 'a\n', 'a b', 'ä', 'a'.repeat(64)]) {
  test(`${JSON.stringify(id.slice(0, 8))} (${String(id.length)}) is none`, t => {
    t.false(isContainerId(id));
    t.throws(() => requireContainerId(id), { instanceOf: RangeError });
  });
}
