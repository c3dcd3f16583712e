/** Which events are about something: those of an App are also those of its services and tasks, those of a service also those of its tasks. */
import type { ClusterView } from '#model/ports.ts';
import { describeFound } from './target.ts';
import type { Found } from './target.ts';

/** The name that events of the object carry. */
export function eventObject(found: Found): string {
  switch (found.kind) {
    case 'app':
      return `app/${found.app.namespace}/${found.app.name}`;
    case 'service':
      return `service/${found.service.service.id}`;
    case 'task':
    case 'node':
      return describeFound(found);
  }
}

/** Whether the object is in the namespace: Apps and services by their names, a task by the view; nodes are in none. */
export function isEventIn(object: string, namespace: string, { tasks }: Pick<ClusterView, 'tasks'>): boolean {
  const [kind, name, ...rest] = object.split('/');
  return kind === 'task' ? tasks.some(({ task }) => task.id === name && task.namespace === namespace) : rest.length > 0 && name === namespace;
}

/** Whether the events of `object` are among those of `found`; a task is known by the view. */
export function isEventOf(object: string, found: Found, view: Pick<ClusterView, 'tasks'>): boolean {
  if (object === eventObject(found)) {
    return true;
  }
  const task = object.startsWith('task/') ? view.tasks.find(one => `task/${one.task.id}` === object)?.task : undefined;
  switch (found.kind) {
    case 'app':
      return object.startsWith(`service/${found.app.namespace}/${found.app.name}/`) || (task?.namespace === found.app.namespace && task.app === found.app.name);
    case 'service':
      return task?.serviceId === found.service.service.id;
    case 'task':
    case 'node':
      return false;
  }
}
