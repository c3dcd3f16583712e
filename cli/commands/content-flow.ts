/** Configs and secrets: `get configs`, and each as a document. What is in them is never shown. */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import { formatTime } from '../format/age.ts';
import { configItem, configsInUse, configTable, isConfigNamed, usesOf } from '../format/contents.ts';
import type { ConfigInUse } from '../format/contents.ts';
import type { TitledDocument } from '../format/items.ts';
import { DEFAULT_NAMESPACE, inNamespace, listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import type { Listing } from './print-flow.ts';

/** @param names  as `web-toml` or `shop/web-toml`; none: all */
export async function configListing(shell: Shell, names: readonly string[]): Promise<Listing> {
  const configs = await findConfigs(shell, names);
  return {
    items: configs.map(configItem), table: configTable(configs), names: configs.map(one => `config/${one.app}/${one.name}`), isSingle: names.length === 1 && configs.length === 1,
  };
}

export async function configDocuments(shell: Shell, name: string): Promise<readonly TitledDocument[]> {
  const configs = await findConfigs(shell, [name]);
  const view = await (await shell.connect()).view({});
  return configs.map(config => ({ title: `${config.app}/${config.name}`, item: { ...configItem(config), mounts: usesOf(view, { kind: 'configs', ...config }) } }));
}

export async function secretDocuments(shell: Shell, name: string): Promise<readonly TitledDocument[]> {
  const client = await shell.connect();
  const namespace = shell.options.namespace ?? DEFAULT_NAMESPACE;
  const secret = (await client.listSecrets({ namespace })).find(one => one.name === name);
  if (secret === undefined) {
    throw new ClusterError('NOT_FOUND', `no secret is named ${quoted(name)}${inNamespace(namespace)}; see clusterctl secret ls -A`);
  }
  const { createdAtMs, ...facts } = secret;
  const view = await client.view({ namespace });
  return [{ title: name, item: { ...facts, createdAt: formatTime(createdAtMs), mounts: usesOf(view, { kind: 'secrets', namespace, name }) } }];
}

/** @throws ClusterError NOT_FOUND for a name that no config has */
async function findConfigs(shell: Shell, names: readonly string[]): Promise<readonly ConfigInUse[]> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const known = configsInUse(await client.view(namespace === undefined ? {} : { namespace }));
  const missing = names.find(name => !known.some(config => isConfigNamed(config, name)));
  if (missing !== undefined) {
    throw new ClusterError('NOT_FOUND', `no config is named ${quoted(missing)}${inNamespace(namespace)}; see clusterctl get configs -A`);
  }
  return known.filter(config => names.length === 0 || names.some(name => isConfigNamed(config, name)));
}
