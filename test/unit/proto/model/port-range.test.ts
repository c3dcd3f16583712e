import test from 'ava';
import { formatPortRange, mergePortRanges, parsePortRange } from '#model/port-range.ts';

test('a port or a range of ports', t => {
  t.deepEqual(parsePortRange('22'), { first: 22, last: 22 });
  t.deepEqual(parsePortRange('7400-7403'), { first: 7400, last: 7403 });
});

for (const text of ['', '0', '65536', '9-8', '1-65536', '-1', '1-', '1-2-3', '22/tcp', ' 22', '1e3', '000022']) {
  test(`${JSON.stringify(text)} is none`, t => {
    t.is(parsePortRange(text), undefined);
  });
}

test('ranges that overlap or touch become one, sorted', t => {
  const ranges = ['7410-7412', '7400-7402', '22', '7403', '7401-7402', '7405'].flatMap(text => parsePortRange(text) ?? []);
  t.deepEqual(mergePortRanges(ranges).map(formatPortRange), ['22', '7400-7403', '7405', '7410-7412']);
});
