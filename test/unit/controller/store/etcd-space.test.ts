import test from 'ava';
import { compactionRevision, hasRoom, isWorthDefragmenting } from '../../../../controller/store/etcd-space.ts';
import type { EtcdMemberSpace, EtcdSpace } from '../../../../controller/store/etcd-space.ts';

const member = (sizeBytes: number, quotaBytes: number | undefined = 100, inUseBytes = 10): EtcdMemberSpace => ({ host: 'e1', sizeBytes, inUseBytes, quotaBytes });
const space = (etcdRevision: number, isOutOfSpace: boolean, ...members: readonly EtcdMemberSpace[]): EtcdSpace => ({ etcdRevision, isOutOfSpace, members });

test('history goes from 60 % of the quota of any member on, and keeps 1,000 revisions', t => {
  t.is(compactionRevision(space(5_000, false, member(59)), undefined), undefined);
  t.is(compactionRevision(space(5_000, false, member(10), member(60)), undefined), 4_000);
  t.is(compactionRevision(space(1_000, false, member(60)), undefined), undefined);
});

test('out of space it goes up to the look before, once there was one', t => {
  t.is(compactionRevision(space(5_000, true, member(100)), undefined), undefined);
  t.is(compactionRevision(space(5_000, true, member(100)), space(4_990, false, member(90))), undefined);
  t.is(compactionRevision(space(5_000, true, member(100)), space(4_999, true, member(100))), 4_999);
});

test('there is room where every member that answered is below 80 %', t => {
  t.true(hasRoom([member(79), member(10)]));
  t.false(hasRoom([member(80), member(10)]));
  t.false(hasRoom([]), 'none answered');
});

test('a file is defragmented where a fifth of it or more is free', t => {
  t.true(isWorthDefragmenting(member(100, 100, 80)));
  t.false(isWorthDefragmenting(member(100, 100, 81)));
});
