import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import { ClusterError, ERROR_CODES } from '#model/errors.ts';
import { fromStatus, STATUS_OF, toStatus } from '#rpc/status.ts';

const TARGET = { address: 'c1:7400' };

function asReceived(error: unknown): ServiceError {
  return Object.assign(new Error('received'), toStatus(error));
}

for (const code of ERROR_CODES) {
  test(`${code} crosses as gRPC's ${status[STATUS_OF[code]]} and comes back as itself`, t => {
    t.is(toStatus(new ClusterError(code, 'm')).code, STATUS_OF[code]);
    t.like(fromStatus(asReceived(new ClusterError(code, 'm')), TARGET), { code, message: 'm' });
    t.like(fromStatus(Object.assign(new Error(), { code: STATUS_OF[code], details: 'by gRPC', metadata: new Metadata() }), TARGET), { code });
  });
}

test('codes that only gRPC uses get the nearest of ours', t => {
  const made = (code: status): ClusterError => fromStatus(Object.assign(new Error(), { code, details: '', metadata: new Metadata() }), TARGET);
  t.is(made(status.CANCELLED).code, 'UNAVAILABLE');
  t.is(made(status.UNIMPLEMENTED).code, 'FAILED_PRECONDITION');
  t.is(made(status.UNKNOWN).code, 'INTERNAL');
  t.is(made(status.DATA_LOSS).code, 'INTERNAL');
});

test('what is no ClusterError is INTERNAL and keeps its words to itself', t => {
  t.like(toStatus(new Error('secret')), { code: status.INTERNAL, details: 'internal error' });
  t.like(toStatus('secret'), { code: status.INTERNAL, details: 'internal error' });
});

test('violations cross in their order, as many as fit into the headers', t => {
  const violations = Array.from({ length: 1_000 }, (_, index) => ({ path: `services.s${String(index)}`, message: 'x'.repeat(100) }));
  const received = fromStatus(asReceived(new ClusterError('INVALID_ARGUMENT', 'm', { violations })), TARGET).violations;
  t.true(received.length > 50 && received.length < 100);
  t.deepEqual(received, violations.slice(0, received.length));
});
