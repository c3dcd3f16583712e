import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import test from 'ava';
import { SyscallError } from '../../../../agent/kernel/file-syscall.ts';

for (const name of ['EAGAIN', 'ENOTSUP', 'ENOENT', 'EMFILE'] as const) {
  test(`SyscallError: ${name} has the name that Node gives it`, t => {
    const errno = constants.errno[name];
    t.like(new SyscallError('posix_spawn /x', errno), { code: getSystemErrorName(-errno), message: `posix_spawn /x: ${name}` });
  });
}
