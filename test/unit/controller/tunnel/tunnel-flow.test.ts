import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import { joinTunnels } from '../../../../controller/tunnel/tunnel-flow.ts';

const EOF: TunnelFrame = { kind: 'eof' };

/** A tunnel whose other side says `said` and then ends, or fails; what is sent to it, and its end, are in `got`. */
function tunnel(said: readonly TunnelFrame[], failure?: Error): Tunnel & { readonly got: string[] } {
  const got: string[] = [];
  return {
    got,
    frames: frames(said, failure),
    send: frame => { got.push(frame.kind); return Promise.resolve(); },
    close: () => { got.push('closed'); },
  };
}

async function* frames(said: readonly TunnelFrame[], failure: Error | undefined): AsyncGenerator<TunnelFrame, void, undefined> {
  yield* said;
  if (failure !== undefined) {
    throw await Promise.resolve(failure);
  }
}

test('frames go both ways, then both ends are closed', async t => {
  const [client, agent] = [tunnel([EOF]), tunnel([EOF, EOF])];
  await joinTunnels(client, agent);
  t.deepEqual(client.got, ['eof', 'eof', 'closed']);
  t.deepEqual([...new Set(agent.got)], ['eof', 'closed']);
});

test("what ends the agent's side is thrown, and the client is not told a clean end", async t => {
  const gone = new ClusterError('UNAVAILABLE', 'node n1 is lost');
  const [client, agent] = [tunnel([]), tunnel([EOF], gone)];
  t.is(await t.throwsAsync(joinTunnels(client, agent)), gone);
  t.deepEqual(client.got, ['eof']);
  t.true(agent.got.includes('closed'));
});
