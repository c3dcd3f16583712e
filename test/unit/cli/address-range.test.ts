import test from 'ava';
import { overlaps } from '../../../cli/address-range.ts';

test('networks overlap when one holds the other', t => {
  t.true(overlaps('10.128.0.0/11', '10.140.1.2/24'));
  t.true(overlaps('10.140.1.2/24', '10.128.0.0/11'));
  t.true(overlaps('0.0.0.0/0', '10.0.0.1/32'));
  t.false(overlaps('10.128.0.0/11', '10.160.0.1/16'));
  t.false(overlaps('10.128.0.0/11', '10.127.255.255/32'));
});
