import test from 'ava';
import { execProcess } from '../../../../agent/runtime/exec-spec.ts';
import type { OciProcess } from '../../../../agent/runtime/oci-spec.ts';
import type { ExecRequest } from '../../../../agent/runtime/ports.ts';

const BASE: OciProcess = {
  terminal: false, user: { uid: 0, gid: 0, additionalGids: [9], umask: 18 }, args: ['sleep'], env: ['A=1', 'B=2'], cwd: '/app',
  capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'], inheritable: [], ambient: [] },
  rlimits: [], noNewPrivileges: true, oomScoreAdj: 100,
};
const request = (overrides: Partial<ExecRequest> = {}): ExecRequest => ({ command: ['sh'], tty: false, stdin: false, environment: [], ...overrides });
const ACCOUNTS = { passwd: 'web:x:33:34::/:\n', group: 'www:x:34:\nmore:x:50:web\n' };

test('all but command and terminal is the container\'s', t => {
  t.deepEqual(execProcess(BASE, request(), ACCOUNTS), { ...BASE, args: ['sh'] });
});
test('another user has its groups and no capabilities', t => {
  const { user, capabilities } = execProcess(BASE, request({ user: 'web' }), ACCOUNTS);
  t.deepEqual(user, { uid: 33, gid: 34, additionalGids: [34, 50], umask: 18 });
  t.deepEqual([capabilities.effective, capabilities.permitted, capabilities.bounding], [[], [], ['CAP_CHOWN']]);
});
test('root in a container of another user gets the bounding set, no more', t => {
  const base = { ...BASE, user: { ...BASE.user, uid: 5 }, capabilities: { ...BASE.capabilities, effective: [], permitted: [] } };
  t.deepEqual(execProcess(base, request({ user: '0' }), ACCOUNTS).capabilities.effective, ['CAP_CHOWN']);
});
test('a terminal with its size', t => {
  const spec = execProcess(BASE, request({ tty: true, size: { columns: 80, rows: 24 }, workingDir: '/tmp', environment: [{ name: 'B', value: '3' }] }), ACCOUNTS);
  t.deepEqual([spec.terminal, spec.consoleSize, spec.cwd, spec.env], [true, { width: 80, height: 24 }, '/tmp', ['A=1', 'B=3', 'TERM=xterm']]);
});
for (const [name, bad] of Object.entries({ 'no command': { command: [] }, 'a relative directory': { workingDir: 'tmp' }, 'an unknown user': { user: 'who' } })) {
  test(`refused: ${name}`, t => { t.throws(() => execProcess(BASE, request(bad), ACCOUNTS), { code: 'INVALID_ARGUMENT' }); });
}
