import test from 'ava';
import { readAnswer } from '../../../../controller/autoscale/prometheus-answer.ts';

const vector = (...values: readonly unknown[]) => ({ status: 'success', data: { resultType: 'vector', result: values.map(value => ({ metric: {}, value: [1, value] })) } });

test('a number is its value', t => {
  t.deepEqual(readAnswer({ status: 'success', data: { resultType: 'scalar', result: [1, '4.5'] } }), { kind: 'value', value: 4.5 });
});

test('of a vector the sum counts', t => {
  t.deepEqual(readAnswer(vector('4', '0.5')), { kind: 'value', value: 4.5 });
});

const isProblem = test.macro({
  exec(t, body: unknown, message: string) {
    t.deepEqual(readAnswer(body), { kind: 'problem', message });
  },
  title: (name, _body: unknown, message: string) => `a problem: ${name ?? message}`,
});

test(isProblem, vector(), 'the query gives no series');
test(isProblem, vector('NaN'), 'the query gives a value that is not a number');
test('an infinite value is none', isProblem, vector('+Inf', '1'), 'the query gives a value that is not a number');
test('a value that is missing is none', isProblem, { data: { resultType: 'vector', result: [{}, null] } }, 'the query gives a value that is not a number');
test(isProblem, { data: { resultType: 'matrix', result: [] } }, 'the query gives a matrix; it must give a number or an instant vector');
test(isProblem, { status: 'error', errorType: 'bad_data', error: 'parse error:\u001b[31m x' }, 'Prometheus says parse error:\\u001b[31m x');
test(isProblem, undefined, 'the answer is not one of Prometheus');
test('what is no answer at all is none', isProblem, [1], 'the answer is not one of Prometheus');
