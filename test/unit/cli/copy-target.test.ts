import test from 'ava';
import { baseName, firstEntryKind, parseCopyEnd, planCopy } from '../../../cli/copy-target.ts';
import type { CopyPlan, PathKind } from '../../../cli/copy-target.ts';

test('ends of a copy', t => {
  t.deepEqual(parseCopyEnd('shop/web:/etc/x'), { kind: 'task', target: 'shop/web', path: '/etc/x' });
  t.deepEqual(parseCopyEnd('web:'), { kind: 'task', target: 'web', path: '/' });
  t.deepEqual(['./a:b', '/a:b', 'a', ':b'].map(text => parseCopyEnd(text).kind), ['local', 'local', 'local', 'local']);
});

const plans = test.macro({
  exec(t, source: readonly [string, PathKind], destination: readonly [string, PathKind], plan: CopyPlan) {
    t.deepEqual(planCopy({ path: source[0], kind: source[1] }, { path: destination[0], kind: destination[1] }), plan);
  },
  title: (_, source: readonly [string, PathKind], destination: readonly [string, PathKind]) => `${source.join(' ')} to ${destination.join(' ')}`,
});
test(plans, ['a/f', 'file'], ['/d', 'directory'], { directory: '/d', name: 'f' });
test(plans, ['f', 'file'], ['/d/g', 'absent'], { directory: '/d', name: 'g' });
test(plans, ['f', 'file'], ['/d/g', 'file'], { directory: '/d', name: 'g' });
test(plans, ['s', 'directory'], ['/d', 'directory'], { directory: '/d', name: 's' });
test(plans, ['s/', 'directory'], ['/d', 'directory'], { directory: '/d', name: 's' });
test(plans, ['s/.', 'directory'], ['/d', 'directory'], { directory: '/d' });
test(plans, ['s', 'directory'], ['/d/n', 'absent'], { directory: '/d', name: 'n' });
test(plans, ['s', 'directory'], ['n/', 'absent'], { directory: '.', name: 'n' });
test(plans, ['f', 'file'], ['/g', 'absent'], { directory: '/', name: 'g' });

test('what docker refuses is refused', t => {
  t.throws(() => planCopy({ path: 'x', kind: 'absent' }, { path: '/d', kind: 'directory' }), { message: "'x' does not exist" });
  t.throws(() => planCopy({ path: 's', kind: 'directory' }, { path: '/f', kind: 'file' }), { message: /over the file/ });
  t.throws(() => planCopy({ path: 'f', kind: 'file' }, { path: '/d/', kind: 'absent' }), { message: /does not exist/ });
});

function header(type: string, size = '0'): Uint8Array {
  const block = new Uint8Array(512);
  block.set(Buffer.from(size.padStart(11, '0')), 124);
  block.set(Buffer.from(type), 156);
  return block;
}

test('the first entry of a tar, behind its extended headers', t => {
  t.is(firstEntryKind(header('5')), 'directory');
  t.is(firstEntryKind(header('0')), 'file');
  t.is(firstEntryKind(Buffer.concat([header('x', '1'), new Uint8Array(512), header('5')])), 'directory');
  t.is(firstEntryKind(header('x', '1')), undefined);
  t.is(firstEntryKind(new Uint8Array(511)), undefined);
});

test('baseName', t => {
  t.deepEqual(['/a/b', 'b/', 'a/b/.', 'b'].map(baseName), ['b', 'b', 'b', 'b']);
});
