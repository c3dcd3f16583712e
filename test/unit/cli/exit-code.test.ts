import test from 'ava';
import { ClusterError, ERROR_CODES } from '#model/errors.ts';
import { describeEnding, ManifestError, ProcessExit, TimeoutError } from '../../../cli/exit-code.ts';
import { UsageError } from '../../../cli/options.ts';

test('exit codes', t => {
  const codes = Object.fromEntries(ERROR_CODES.map(code => [code, describeEnding(new ClusterError(code, 'x'), false).exitCode]));
  t.deepEqual(codes, {
    INVALID_ARGUMENT: 1, NOT_FOUND: 1, ALREADY_EXISTS: 1, CONFLICT: 1, FAILED_PRECONDITION: 1, RESOURCE_EXHAUSTED: 1, OUT_OF_RANGE: 1,
    UNAUTHENTICATED: 1, PERMISSION_DENIED: 1, DEADLINE_EXCEEDED: 124, UNAVAILABLE: 3, INTERNAL: 1,
  });
  t.is(describeEnding(new UsageError('x'), false).exitCode, 2);
  t.is(describeEnding(new TimeoutError('x'), false).exitCode, 124);
  t.deepEqual(describeEnding(new ProcessExit(137), false), { exitCode: 137, text: '' });
});

test('an error is one line, with a hint, printable', t => {
  t.is(describeEnding(new ClusterError('CONFLICT', 'shop\u001b[2J changed'), false).text, 'error: shop\\u001b[2J changed; somebody changed it meanwhile; try again\n');
});

test('violations without lines are listed under the error', t => {
  const error = new ClusterError('INVALID_ARGUMENT', 'no', { violations: [{ path: 'services.web', message: 'bad' }] });
  t.is(describeEnding(error, false).text, 'error: no\n  services.web: bad\n');
});

test('what the error says already is not said again', t => {
  const violations = [{ path: 'services.run.image', message: 'image r/x:1: not in the registry' }, { path: 'services.web', message: 'bad' }];
  const error = new ClusterError('INVALID_ARGUMENT', 'services.run.image: image r/x:1: not in the registry', { violations });
  t.is(describeEnding(error, false).text, 'error: services.run.image: image r/x:1: not in the registry\n  services.web: bad\n');
});

test('20 problems are shown, the rest is counted', t => {
  const problems = Array.from({ length: 23 }, (_, index) => ({ file: 'f', line: index + 1, column: 1, path: 'p', message: 'm' }));
  const lines = describeEnding(new ManifestError(problems), false).text.split('\n');
  t.deepEqual([lines[0], lines[19], lines[20], lines.length], ['f:1:1 p: m', 'f:20:1 p: m', '... and 3 more', 22]);
});

test('with -o json the error is an object', t => {
  const ending = describeEnding(new ManifestError([{ file: 'f', line: 1, column: 2, path: 'p', message: 'm' }]), true);
  t.deepEqual(JSON.parse(ending.text), { error: { code: 'INVALID_ARGUMENT', message: '1 problem in the manifest', violations: [{ file: 'f', line: 1, column: 2, path: 'p', message: 'm', hint: null }] } });
});

test('where a controller is looked for only when none was reached: what is not available may be another', t => {
  t.is(describeEnding(new ClusterError('UNAVAILABLE', 'cannot reach controller c1:7400: no answer within 10 s'), false).text, 'error: cannot reach controller c1:7400: no answer within 10 s; is a controller running? see clusterctl context ls\n');
  t.is(describeEnding(new ClusterError('UNAVAILABLE', 'c1:7400 cannot be reached: connection refused'), false).text, 'error: c1:7400 cannot be reached: connection refused; is a controller running? see clusterctl context ls\n');
  t.is(describeEnding(new ClusterError('UNAVAILABLE', 'registry reg.test does not answer'), false).text, 'error: registry reg.test does not answer\n');
});
