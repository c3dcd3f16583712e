import test from 'ava';
import { addResources, fitsInto, largerResources, NO_RESOURCES, resourcesKey, subtractResources } from '#model/resources.ts';

const half = { milliCpu: 500, memoryBytes: 100 };
const whole = { milliCpu: 1_000, memoryBytes: 200 };

test('two halves make a whole, and a whole less a half is a half', t => {
  t.deepEqual(addResources(half, half), whole);
  t.deepEqual(subtractResources(whole, half), half);
});

test('a need fits when every dimension does; exactly full is a fit', t => {
  t.true(fitsInto(whole, whole));
  t.true(fitsInto(NO_RESOURCES, NO_RESOURCES));
  t.false(fitsInto({ ...half, milliCpu: 1_001 }, whole));
  t.false(fitsInto({ ...half, memoryBytes: 201 }, whole));
});

test('disk and processes count where they are asked for, and limit where they are known', t => {
  const onDisk = { ...half, diskBytes: 10, pids: 5 };
  t.deepEqual(addResources(half, onDisk), { ...whole, diskBytes: 10, pids: 5 });
  t.deepEqual(largerResources(onDisk, { ...half, pids: 7 }), { ...half, diskBytes: 10, pids: 7 });
  t.deepEqual(subtractResources(whole, onDisk), half);
  t.deepEqual(subtractResources({ ...whole, diskBytes: 30, pids: 5 }, onDisk), { ...half, diskBytes: 20, pids: 0 });
  t.true(fitsInto(onDisk, whole));
  t.true(fitsInto(onDisk, { ...whole, diskBytes: 10, pids: 5 }));
  t.false(fitsInto(onDisk, { ...whole, diskBytes: 9 }));
  t.false(fitsInto(onDisk, { ...whole, pids: 4 }));
});

test('the key of resources without what came later is as it always was', t => {
  const limits = { memoryBytes: 1, pids: 2 };
  t.is(resourcesKey({ requests: half, limits }), '500/100/-/1/2/-/-/-/-/-/-/-');
  t.is(resourcesKey({ requests: { ...half, diskBytes: 3, pids: 4 }, limits }), '500/100/-/1/2/-/-/-/-/-/-/-/disk=3/pids=4');
  t.is(resourcesKey({ requests: half, limits: { ...limits, storageBytes: 5 } }), '500/100/-/1/2/-/-/-/-/-/-/-/storage=5');
  t.is(resourcesKey({ requests: half, limits: { ...limits, hugepages: [{ pageBytes: 3, bytes: 6 }] } }), '500/100/-/1/2/-/-/-/-/-/-/-/pages-3=6');
});
