import test from 'ava';
import { ConnectionBounds } from '#rpc/connection-bounds.ts';

/** A connection that records its end. */
class Connection {
  isEnded = false;
  destroy(): void { this.isEnded = true; }
}

const LIMITS = { handshakesOfOne: 3, handshakes: 5, connectionsOfOne: 2, connections: 3 };

test('a handshake too many of one address is refused; another address gets in; an end makes room', t => {
  const bounds = new ConnectionBounds(LIMITS);
  const ends = Array.from({ length: 3 }, () => bounds.beginHandshake('10.0.0.1', new Connection()));
  t.is(bounds.beginHandshake('10.0.0.1', new Connection()), undefined);
  t.not(bounds.beginHandshake('10.0.0.2', new Connection()), undefined);
  ends[0]?.();
  t.not(bounds.beginHandshake('10.0.0.1', new Connection()), undefined);
});

test('with too many in all the oldest of the address that has most ends', t => {
  const bounds = new ConnectionBounds(LIMITS);
  const [small, large] = [new Connection(), [new Connection(), new Connection(), new Connection()]];
  bounds.beginHandshake('10.0.0.1', small);
  large.forEach(one => bounds.beginHandshake('10.0.0.2', one));
  bounds.beginHandshake('10.0.0.3', new Connection());
  t.false(large.some(one => one.isEnded));
  bounds.beginHandshake('10.0.0.4', new Connection());
  t.deepEqual([small.isEnded, ...large.map(one => one.isEnded)], [false, true, false, false]);
});

test('connections after the handshake are bounded by certificate; an end that is told twice counts once', t => {
  const bounds = new ConnectionBounds(LIMITS);
  const end = bounds.open('operator joe', new Connection());
  bounds.open('operator joe', new Connection());
  t.is(bounds.open('operator joe', new Connection()), undefined);
  end?.();
  end?.();
  t.deepEqual(bounds.held, { handshakes: 0, connections: 1 });
  t.not(bounds.open('operator joe', new Connection()), undefined);
});
