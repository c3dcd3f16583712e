import test from 'ava';
import { DiskPressureError, diskAnswer, diskPressureText, isDiskPressure } from '../../../agent/disk-pressure.ts';

const coded = (code: string): Error => Object.assign(new Error(code), { code });

test('a full disk, a used up quota and a read-only file system are disk pressure; any other error is none', t => {
  t.deepEqual(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ENOENT'].map(code => diskAnswer(coded(code))),
    ['no space left', 'the disk quota is used up', 'the file system is read-only', undefined, undefined]);
  t.is(diskAnswer('ENOSPC'), undefined);
});

test('it is found below the errors that wrap it', t => {
  const full = new DiskPressureError('no space left');
  t.true(isDiskPressure(full));
  t.true(isDiskPressure(new Error('outer', { cause: new Error('inner', { cause: full }) })));
  t.false(isDiskPressure(new Error('outer', { cause: coded('ENOSPC') })));
  t.is(full.code, 'RESOURCE_EXHAUSTED');
});

test('the text names the path and what is free', t => {
  t.is(diskPressureText('no space left', '/state', { freeBytes: 4096, freeInodes: 7 }), 'no space left: /state has 4096 bytes and 7 inodes free');
});

test('a used up quota has no name in Node.js', t => {
  t.is(diskAnswer(Object.assign(new Error('UNKNOWN: unknown error, write'), { code: 'UNKNOWN', errno: -122 })), 'the disk quota is used up');
  t.is(diskAnswer(Object.assign(new Error('x'), { code: 'UNKNOWN', errno: -1 })), undefined);
});
