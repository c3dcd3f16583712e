/** Configs and secrets as services use them: which content each has in force, who mounts it, where. Values are never part of it. */
import type { ClusterView, ServiceView } from '#model/ports.ts';
import { containersOf } from '#model/companion.ts';
import type { Item } from './items.ts';
import type { Table } from './table.ts';

/** One content of a config of an App; during a rollout its services may have different ones. */
export interface ConfigInUse {
  readonly namespace: string;
  readonly app: string;
  readonly name: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Services that mount it, by name; none mounts it where the manifest only declares it. */
  readonly services: readonly string[];
}

const SHOWN_HEX = 12;

/** By namespace, App and name. */
export function configsInUse({ services }: Pick<ClusterView, 'services'>): readonly ConfigInUse[] {
  const pinned = services.filter(({ service }) => service.cronRun === undefined).flatMap(view => view.service.pins.configs.map(pin => ({ view, pin })));
  const groups = Map.groupBy(pinned, ({ view: { service }, pin }) => `${service.namespace}/${service.app}/${pin.name}/${pin.sha256}`);
  return [...groups].toSorted(([left], [right]) => (left < right ? -1 : 1)).flatMap(([, uses]) => {
    const [first] = uses;
    return first === undefined ? [] : [{
      namespace: first.view.service.namespace, app: first.view.service.app, ...first.pin,
      services: uses.filter(({ view, pin }) => mountsOf(view, 'configs', pin.name).length > 0).map(({ view }) => view.service.name),
    }];
  });
}

export function configTable(configs: readonly ConfigInUse[]): Table {
  return {
    head: ['NAMESPACE', 'NAME', 'SHA256', 'MOUNTED BY'],
    rows: configs.map(one => [one.namespace, `${one.app}/${one.name}`, one.sha256.slice(0, SHOWN_HEX), one.services.join(',')]),
  };
}

export function configItem({ services, ...config }: ConfigInUse): Item {
  return { ...config, mountedBy: services };
}

/** `web-toml`, `shop/web-toml` or `default/shop/web-toml`. */
export function isConfigNamed({ namespace, app, name }: ConfigInUse, text: string): boolean {
  return [name, `${app}/${name}`, `${namespace}/${app}/${name}`].includes(text);
}

/** Each use of the config or the secret: `service` is `app/name`, `target` the path in the container. */
export function usesOf(view: Pick<ClusterView, 'services'>, of: { readonly kind: 'configs' | 'secrets'; readonly namespace: string; readonly app?: string; readonly name: string }): readonly Item[] {
  return view.services.filter(({ service }) => service.namespace === of.namespace && (of.app === undefined || service.app === of.app)).flatMap(one => {
    const pin = one.service.pins.secrets.find(({ name }) => name === of.name);
    const version = of.kind === 'secrets' && pin !== undefined ? { version: pin.version } : {};
    return mountsOf(one, of.kind, of.name).map(target => ({ service: `${one.service.app}/${one.service.name}`, target, ...version }));
  });
}

/** Where containers of the service, companions included, have it. */
function mountsOf({ service: { spec } }: ServiceView, kind: 'configs' | 'secrets', name: string): readonly string[] {
  return containersOf(spec).flatMap(container => container[kind].filter(mount => mount.source === name).map(mount => mount.target));
}
