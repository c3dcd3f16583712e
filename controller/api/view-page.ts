/** A view in pages: where the next one begins is a token that only this list of this cluster takes. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';
import type { ClusterView, ListFilter, ViewPage, ViewRequest } from '#model/ports.ts';
import { canonicalJson } from './revision.ts';

/** A list is read to its end within this time. */
const TOKEN_LIFE_MS = 300_000;
const SUM_BYTES = 8;
const MAX_PAGE_SIZE = 10_000;

/** Where a page ended. */
interface Cursor {
  /** The last task of the page. */
  readonly after: string;
  readonly revision: number;
  readonly madeAtMs: number;
}

export interface PageContext {
  /** Tokens of another cluster are good for nothing. */
  readonly key: string;
  readonly nowMs: number;
}

/** Tasks in order of ids, so that a task that lives through the whole list is in exactly one page. @throws ClusterError INVALID_ARGUMENT */
export function pageOf(view: ClusterView, { filter, pageSize, pageToken }: ViewRequest, context: PageContext): ViewPage {
  if (!Number.isInteger(pageSize) || pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    throw invalid('page_size', `must be 0..${String(MAX_PAGE_SIZE)}, got ${String(pageSize)}`);
  }
  const cursor = pageToken === undefined ? undefined : readToken(pageToken, filter, context);
  if (cursor !== undefined && cursor.revision > view.etcdRevision) {
    throw staleToken();
  }
  const rest = cursor === undefined ? view.tasks : view.tasks.filter(({ task }) => task.id > cursor.after);
  const tasks = pageSize === 0 ? rest : rest.slice(0, pageSize);
  const page: ClusterView = cursor === undefined ? { ...view, tasks } : { etcdRevision: view.etcdRevision, apps: [], services: [], tasks, pending: [], nodes: [] };
  const last = tasks.at(-1);
  return tasks.length === rest.length || last === undefined
    ? { view: page }
    : { view: page, nextPageToken: makeToken({ after: last.task.id, revision: view.etcdRevision, madeAtMs: context.nowMs }, filter, context.key) };
}

function makeToken(cursor: Cursor, filter: ListFilter, key: string): string {
  const body = Buffer.from(JSON.stringify(cursor));
  return Buffer.concat([sumOf(body, filter, key), body]).toString('base64url');
}

function readToken(token: string, filter: ListFilter, { key, nowMs }: PageContext): Cursor {
  const bytes = Buffer.from(token, 'base64url');
  const body = bytes.subarray(SUM_BYTES);
  // A second text that reads as the same bytes is refused too.
  if (body.length === 0 || bytes.toString('base64url') !== token || !timingSafeEqual(bytes.subarray(0, SUM_BYTES), sumOf(body, filter, key))) {
    throw staleToken();
  }
  const cursor = JSON.parse(body.toString()) as Cursor;
  if (nowMs - cursor.madeAtMs > TOKEN_LIFE_MS) {
    throw staleToken();
  }
  return cursor;
}

function sumOf(body: Uint8Array, filter: ListFilter, key: string): Buffer {
  return createHash('sha256').update(`${key}\n${canonicalJson(filter)}\n`).update(body).digest().subarray(0, SUM_BYTES);
}

function staleToken(): ClusterError {
  return invalid('page_token', 'page token is not valid any more; start again');
}

function invalid(path: string, message: string): ClusterError {
  return new ClusterError('INVALID_ARGUMENT', `${path}: ${message}`, { violations: [{ path, message }] });
}
