import test from 'ava';
import { lookAgain, mayStart, mayStartExclusive, newContact, untilCutOffMs, withAcknowledged, withAnswer, withFullSet } from '../../../agent/contact.ts';
import type { Contact } from '../../../agent/contact.ts';

const TIMES = { heartbeatMs: 500, lostMs: 4_000 };
/** At 10,000 ms, long after the start, looked at just now. */
const QUIET: Contact = { lostMs: 4_000, stallMs: 500, lookedAtMs: 10_000 };
const CONFIRMED = withFullSet(withAcknowledged(QUIET, 9_900), 9_950);

const permits = test.macro({
  exec(t, contact: Contact, nowMs: number, expected: { readonly first: boolean; readonly restart: boolean }) {
    t.deepEqual({ first: mayStart(contact, true, nowMs), restart: mayStart(contact, false, nowMs) }, expected);
  },
  title: (name = '') => `mayStart: ${name}`,
});

test('right after the start nothing may, until a controller spoke', permits, newContact(0, TIMES), 100, { first: false, restart: false });
test('LOST after the start restarts may', permits, { ...newContact(0, TIMES), lookedAtMs: 4_001 }, 4_001, { first: false, restart: true });
test('without a full set only restarts', permits, QUIET, 10_000, { first: false, restart: true });
test('with a full set and acknowledgements all may', permits, CONFIRMED, 10_100, { first: true, restart: true });
test('refused by a controller nothing may', permits, withAnswer(CONFIRMED, true), 10_100, { first: false, restart: false });
test('accepted again all may', permits, withAnswer(withAnswer(CONFIRMED, true), false), 10_100, { first: true, restart: true });
test('exactly LOST of silence is not too much', permits, { ...CONFIRMED, lookedAtMs: 13_900 }, 13_950, { first: true, restart: true });
test('more than LOST of silence takes first attempts away', permits, { ...CONFIRMED, lookedAtMs: 13_900 }, 13_951, { first: false, restart: true });
test('a gap above STALL holds all back', permits, CONFIRMED, 10_501, { first: false, restart: false });
test('a gap of exactly STALL does not', permits, CONFIRMED, 10_500, { first: true, restart: true });

test('an exclusive task runs as long after the sending of the last acknowledged heartbeat', t => {
  t.is(untilCutOffMs(CONFIRMED, 3_000, 10_000), 2_900);
  t.is(untilCutOffMs(QUIET, 3_000, 10_000), 0);
});

test('each attempt of an exclusive task needs a full set, and none begins once its time is over', t => {
  t.true(mayStartExclusive(CONFIRMED, 3_000, 10_100));
  t.false(mayStartExclusive(withAcknowledged(QUIET, 9_900), 3_000, 10_000));
  t.true(mayStartExclusive({ ...CONFIRMED, lookedAtMs: 12_800 }, 3_000, 12_899));
  t.false(mayStartExclusive({ ...CONFIRMED, lookedAtMs: 12_800 }, 3_000, 12_900));
});

test('after a stall the acknowledgement of a beat sent since then frees the starts, an older one does not', t => {
  const stalled = lookAgain(CONFIRMED, 11_000);
  t.false(mayStart(withAcknowledged(stalled, 10_999), false, 11_050));
  t.true(mayStart(withAcknowledged(stalled, 11_000), false, 11_050));
});

test('an acknowledgement after a silence of LOST does not bring the full set back', t => {
  const silent = lookAgain({ ...CONFIRMED, lookedAtMs: 13_900 }, 14_000);
  t.false(mayStart(withAcknowledged(silent, 14_000), true, 14_050));
});
