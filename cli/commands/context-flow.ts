/** `context ls|use`. */
import { contextPath, loadContexts, saveContexts } from '../context-fs.ts';
import { chooseContext } from '../context.ts';
import type { Shell } from '../ports.ts';
import { printListing, say } from './print-flow.ts';

export async function listContexts(shell: Shell): Promise<void> {
  const file = await loadContexts(contextPath(shell.environment));
  const wanted = shell.options.context ?? shell.environment.get('GANTRY_CONTEXT');
  const current = file.contexts.length === 0 ? undefined : wanted ?? file.current;
  await printListing(shell, {
    items: file.contexts.map(({ name, controllers }) => ({ name, controllers, isCurrent: name === current })),
    table: { head: ['CURRENT', 'NAME', 'CONTROLLERS'], rows: file.contexts.map(one => [one.name === current ? '*' : ' ', one.name, one.controllers.join(',')]) },
    names: file.contexts.map(({ name }) => `context/${name}`),
    isSingle: false,
  });
}

export async function useContext(shell: Shell, name: string): Promise<void> {
  const path = contextPath(shell.environment);
  const file = await loadContexts(path);
  const context = chooseContext(file, name);
  await saveContexts(path, { ...file, current: context.name });
  await say(shell, `context ${context.name}`);
}
