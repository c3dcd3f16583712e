import test from 'ava';
import { deviceMajor, deviceMinor } from '../../../../agent/runtime/device-number.ts';

test('small and large numbers come apart as the kernel puts them together', t => {
  t.deepEqual([deviceMajor(0x103), deviceMinor(0x103)], [1, 3]);
  t.deepEqual([deviceMajor(0x0a_e5), deviceMinor(0x0a_e5)], [10, 229]);
  // makedev(4095, 1048575): every bit that a 32-bit dev_t has.
  t.deepEqual([deviceMajor(0xffff_ffff), deviceMinor(0xffff_ffff)], [4095, 1_048_575]);
});
