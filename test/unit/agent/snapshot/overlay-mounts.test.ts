import test from 'ava';
import { overlayDirectories, parseMountPoints, planOverlay } from '../../../../agent/snapshot/overlay-mounts.ts';

const directories = overlayDirectories('/s', 'k');

test('all paths are below the key', t => {
  t.deepEqual(directories, { top: '/s/k', upper: '/s/k/upper', work: '/s/k/work', rootfs: '/s/k/rootfs', lower: '/s/k/l' });
});
test('a key that could leave the directory is refused', t => {
  for (const key of ['..', 'a/b', '', 'A', '-x']) t.throws(() => overlayDirectories('/s', key), { instanceOf: RangeError }, key);
});
test('the topmost layer comes first', t => {
  t.deepEqual(planOverlay(directories, ['low', 'high']), { kind: 'options', options: 'lowerdir=/s/k/l/high:/s/k/l/low,upperdir=/s/k/upper,workdir=/s/k/work' });
});
test('what the kernel reads as separators is escaped', t => {
  t.like(planOverlay(overlayDirectories('/a:b,c', 'k'), ['x']), { options: 'lowerdir=/a\\:b\\,c/k/l/x,upperdir=/a\\:b\\,c/k/upper,workdir=/a\\:b\\,c/k/work' });
});
test('4095 bytes are one mount, one more are steps', t => {
  const fixed = 'lowerdir=/s/k/l/,upperdir=/s/k/upper,workdir=/s/k/work'.length;
  t.is(planOverlay(directories, ['n'.repeat(4095 - fixed)]).kind, 'options');
  t.is(planOverlay(directories, ['n'.repeat(4096 - fixed)]).kind, 'steps');
});
test('steps name each layer, topmost first, then upper and work', t => {
  const plan = planOverlay(directories, ['low', 'n'.repeat(5000)]);
  t.deepEqual(plan.kind === 'steps' ? plan.steps : [], [
    ['lowerdir+', `/s/k/l/${'n'.repeat(5000)}`], ['lowerdir+', '/s/k/l/low'], ['upperdir', '/s/k/upper'], ['workdir', '/s/k/work'],
  ]);
});
test('mount points are read with their escapes', t => {
  t.deepEqual(parseMountPoints('36 35 98:0 / /mnt/a\\040b rw - ext4 /dev/x rw\n37 35 98:0 / /c rw - ext4 /dev/x rw\n'), ['/mnt/a b', '/c']);
});
