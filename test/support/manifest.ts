/** Apps and violations from plain objects, the short way. */
import { readApp } from '#model/app-schema.ts';
import type { AppSpec } from '#model/app.ts';
import type { Violation } from '#model/errors.ts';
import { fromPlain } from '#model/raw-value.ts';
import type { ServiceSpec } from '#model/service.ts';

const CONTEXT = { defaultNamespace: 'default', contents: new Map() };

/** A document of App `shop` with one service `web` that has these keys beside an image; `rest` are keys of the document. */
export function manifest(web: object = {}, rest: object = {}): object {
  return { apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' }, services: { web: { image: 'nginx', ...web } }, ...rest };
}

export function violationsOf(document: object): readonly Violation[] {
  const read = readApp(fromPlain(document), CONTEXT);
  return read.kind === 'app' ? [] : read.violations;
}

/** @throws Error with the violations */
export function appOf(document: object): AppSpec {
  const read = readApp(fromPlain(document), CONTEXT);
  if (read.kind === 'violations') {
    throw new Error(read.violations.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  }
  return read.app;
}

/** The service `web` with these keys. */
export function serviceOf(web: object, rest: object = {}): ServiceSpec {
  const found = appOf(manifest(web, rest)).services.find(({ name }) => name === 'web');
  if (found === undefined) {
    throw new Error('no service web');
  }
  return found;
}
