import test from 'ava';
import { linkIndex } from '../../../../agent/kernel/netlink-syscall.ts';
import { failureWith } from '../../../support/taken-descriptors.ts';

test('F11: a link that nobody could look for is not one that is not there', async t => {
  const loopback = linkIndex('lo');
  t.true(loopback > 0);
  t.is(linkIndex('no-such-link'), 0);
  t.like(await failureWith(0, () => linkIndex('lo')), { code: 'EMFILE' });
  t.is(linkIndex('lo'), loopback);
});
