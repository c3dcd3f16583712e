import test from 'ava';
import { AGENT } from '#rpc/agent-methods.ts';
import { encodeOnce } from '#rpc/encode-once.ts';
import { endpointSet } from '../../../support/endpoint-sets.ts';

interface Said {
  readonly text: string;
}

test('the bytes of a shared message are made once, also with others between; of another one each time', t => {
  let made = 0;
  const encode = encodeOnce<Said>(({ text }) => { made += 1; return Buffer.from(text); }, ({ text }) => text !== 'own');
  const [shared, other, own] = [{ text: 'shared' }, { text: 'other' }, { text: 'own' }];
  const bytes = encode(shared);
  encode(other);
  t.is(encode(shared), bytes);
  t.is(made, 2);
  t.not(encode(own), encode(own));
  t.is(made, 4);
  t.not(encode({ text: 'shared' }), bytes, 'an equal message is another one');
});

test('endpoints for all sessions are encoded once', t => {
  const message = { kind: 'endpoints', endpoints: endpointSet([]) } as const;
  t.is(AGENT.session.encodeAnswer(message), AGENT.session.encodeAnswer(message));
  const ack = { kind: 'ack', seq: 1, settled: [] } as const;
  t.not(AGENT.session.encodeAnswer(ack), AGENT.session.encodeAnswer(ack));
});
