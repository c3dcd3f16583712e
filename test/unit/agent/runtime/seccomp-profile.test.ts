import test from 'ava';
import { seccompProfile } from '../../../../agent/runtime/seccomp-profile.ts';
import { golden } from '../../../support/golden.ts';

const REFUSED = [
  'setns', 'mount', 'umount', 'umount2', 'pivot_root', 'move_mount', 'open_tree', 'open_tree_attr', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr', 'listmount', 'statmount',
  'bpf', 'perf_event_open', 'pidfd_getfd', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'keyctl', 'add_key', 'request_key', 'io_uring_setup', 'io_uring_enter', 'io_uring_register',
  'userfaultfd', 'open_by_handle_at', 'kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module', 'quotactl', 'quotactl_fd', 'reboot', 'swapon', 'swapoff', 'acct',
  'settimeofday', 'clock_settime', 'clock_adjtime', 'adjtimex', 'sethostname', 'setdomainname', 'iopl', 'ioperm', 'syslog', 'lookup_dcookie', 'move_pages', 'mbind', 'set_mempolicy', 'fanotify_init',
];

for (const architecture of ['x64', 'arm64'] as const) {
  test(`the list for ${architecture}`, t => { golden(t, `runtime/seccomp-${architecture}.json`, `${JSON.stringify(seccompProfile(architecture), undefined, 1)}\n`); });
}
test('what a container must not call is in no rule', t => {
  const named = new Set(seccompProfile('x64').syscalls.flatMap(rule => rule.names));
  t.deepEqual(REFUSED.filter(name => named.has(name)), []);
});
test('no call is named twice but personality', t => {
  const names = seccompProfile('x64').syscalls.flatMap(rule => rule.names).filter(name => name !== 'personality');
  t.deepEqual(names.filter((name, index) => names.indexOf(name) !== index), []);
});
test('the masks name every CLONE_NEW flag, as numbers above zero', t => {
  const masks = seccompProfile('x64').syscalls.filter(rule => rule.names.some(name => name === 'clone' || name === 'unshare')).map(rule => rule.args?.[0]?.value);
  t.deepEqual(masks, [0x7e020000, 0x7e020080]);
});
