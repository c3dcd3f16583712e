import test from 'ava';
import { DETACH_START, followDetachKeys } from '../../../../cli/terminal/detach-keys.ts';

function follow(...chunks: readonly string[]): { readonly passed: string; readonly isDetached: boolean } {
  let state = DETACH_START;
  let passed = '';
  for (const chunk of chunks) {
    const step = followDetachKeys(state, Buffer.from(chunk, 'latin1'));
    state = step.state;
    passed += Buffer.from(step.pass).toString('latin1');
    if (step.isDetached) {
      return { passed, isDetached: true };
    }
  }
  return { passed, isDetached: false };
}

test('ctrl-p ctrl-q detaches, also when cut in two', t => {
  t.deepEqual(follow('ls\r\x10\x11rest'), { passed: 'ls\r', isDetached: true });
  t.deepEqual(follow('\x10', '\x11'), { passed: '', isDetached: true });
  t.deepEqual(follow('\x10\x10\x11'), { passed: '\x10', isDetached: true });
});

test('either key alone reaches the task', t => {
  t.deepEqual(follow('\x11'), { passed: '\x11', isDetached: false });
  t.deepEqual(follow('\x10a'), { passed: '\x10a', isDetached: false });
  t.deepEqual(follow('a\x10', 'b'), { passed: 'a\x10b', isDetached: false });
});
