/** What an answer of Prometheus' query API says, as one number. */
import { printable } from '#model/printable.ts';
import type { QueryAnswer } from './ports.ts';

const MAX_ERROR_LENGTH = 200;

/**
 * The value of a scalar, or the sum of a vector's. A vector without series is no answer: a metric that vanished is not a queue that is empty.
 *
 * Source: Prometheus, "HTTP API", "Instant queries" and "Expression query result formats"
 */
export function readAnswer(body: unknown): QueryAnswer {
  if (!isRecord(body) || !isRecord(body['data'])) {
    const error = isRecord(body) && typeof body['error'] === 'string' ? body['error'] : undefined;
    return problem(error === undefined ? 'the answer is not one of Prometheus' : `Prometheus says ${printable(error.slice(0, MAX_ERROR_LENGTH))}`);
  }
  const { resultType, result } = body['data'];
  if (!Array.isArray(result) || (resultType !== 'scalar' && resultType !== 'vector')) {
    return problem(`the query gives a ${printable(String(resultType).slice(0, MAX_ERROR_LENGTH))}; it must give a number or an instant vector`);
  }
  const values = resultType === 'scalar' ? [numberOf(result)] : result.map(series => (isRecord(series) ? numberOf(series['value']) : Number.NaN));
  if (values.length === 0) {
    return problem('the query gives no series');
  }
  const value = values.reduce((sum, one) => sum + one, 0);
  return Number.isFinite(value) ? { kind: 'value', value } : problem('the query gives a value that is not a number');
}

/** Of `[time, "value"]`. */
function numberOf(sample: unknown): number {
  const text: unknown = Array.isArray(sample) ? sample[1] : undefined;
  return typeof text === 'string' && text !== '' ? Number(text) : Number.NaN;
}

function problem(message: string): QueryAnswer {
  return { kind: 'problem', message };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
