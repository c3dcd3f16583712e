import test from 'ava';
import { isSameFrame, renderChange, renderTable } from '../../../../agent/proxy/nft-table.ts';
import type { NftTable } from '../../../../agent/proxy/nft-table.ts';

function table(rest: { sets?: Record<string, string>; chains?: Record<string, readonly string[]>; elements?: Record<string, Record<string, string>> } = {}): NftTable {
  return {
    family: 'ip', name: 't', frame: ['map m { type ipv4_addr : verdict; }'],
    sets: new Map(Object.entries(rest.sets ?? {})), chains: new Map(Object.entries(rest.chains ?? {})),
    elements: new Map(Object.entries(rest.elements ?? {}).map(([name, elements]) => [name, new Map(Object.entries(elements))])),
  };
}

const changes = test.macro({
  exec(t, from: NftTable, to: NftTable, expected: readonly string[]) {
    t.deepEqual(renderChange(from, to).split('\n').filter(line => line !== ''), expected);
  },
  title: (name = '') => `renderChange: ${name}`,
});

test('equal tables need nothing', changes, table({ chains: { a: ['drop'] } }), table({ chains: { a: ['drop'] } }), []);
test('what is referred to comes first', changes, table(), table({ sets: { s: 'ipv4_addr' }, chains: { a: ['ip saddr @s drop'] }, elements: { m: { '10.0.0.1': 'goto a' }, s: { '10.0.0.2': '' } } }), [
  'add set ip t s { type ipv4_addr; }', 'add chain ip t a', 'add element ip t m { 10.0.0.1 : goto a }', 'add element ip t s { 10.0.0.2 }', 'add rule ip t a ip saddr @s drop',
]);
test('and goes last; a set takes its elements along', changes, table({ sets: { s: 'ipv4_addr' }, chains: { a: ['ip saddr @s drop'] }, elements: { m: { '10.0.0.1': 'goto a' }, s: { '10.0.0.2': '' } } }), table(), [
  'delete element ip t m { 10.0.0.1 }', 'flush chain ip t a', 'delete chain ip t a', 'delete set ip t s',
]);
test('a changed chain is refilled, its neighbour untouched', changes, table({ chains: { a: ['drop'], b: ['drop'] } }), table({ chains: { a: ['accept'], b: ['drop'] } }), [
  'flush chain ip t a', 'add rule ip t a accept',
]);
test('a changed verdict goes and comes; all that go are before all that come', changes, table({ elements: { m: { x: 'goto a', z: 'goto a' } } }), table({ elements: { m: { x: 'goto b', y: 'goto b' } } }), [
  'delete element ip t m { x, z }', 'add element ip t m { x : goto b, y : goto b }',
]);

test('a whole table replaces whatever was there', t => {
  t.is(renderTable(table({ chains: { a: ['drop'] } })), [
    'table ip t', 'delete table ip t', 'table ip t {', '  map m { type ipv4_addr : verdict; }', '}', 'add chain ip t a', 'add rule ip t a drop', '',
  ].join('\n'));
});

test('elements alone leave the frame as it is; a set, a chain or a rule does not', t => {
  const from = table({ sets: { s: 'ipv4_addr' }, chains: { a: ['drop'] }, elements: { s: { x: '' } } });
  t.true(isSameFrame(from, table({ sets: { s: 'ipv4_addr' }, chains: { a: ['drop'] }, elements: { s: { y: '' } } })));
  t.false(isSameFrame(from, table({ sets: { s: 'ipv4_addr' }, chains: { a: ['accept'] } })));
  t.false(isSameFrame(from, table({ sets: { s: 'ipv4_addr' } })));
  t.false(isSameFrame(from, table({ sets: { s: 'ipv4_addr', more: 'ipv4_addr' }, chains: { a: ['drop'] } })));
});
