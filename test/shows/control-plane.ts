import { webApp } from '../support/fault-apps.ts';
import { FaultBench } from '../support/fault-bench.ts';
import { underFault } from '../support/unnoticed.ts';
import type { Show } from './show.ts';

const PORT = 18_241;

export const controlPlane: Show = {
  about: 'an agent, all controllers, etcd, NATS, then all of them at once are killed with -9: nobody notices',
  async play({ cluster, saw, must }) {
    const bench = FaultBench.attach(cluster);
    const names = cluster.file.processes.filter(({ kind }) => kind !== 'registry').map(({ name }) => name);
    const controllers = cluster.layout.controllers.map(({ name }) => name);
    const kill = async (...killed: readonly string[]): Promise<void> => {
      const before = killed.map(name => cluster.process(name).pid);
      killed.forEach(name => { bench.kill(name); });
      for (const [index, name] of killed.entries()) {
        await bench.running(name, before[index]);
      }
      saw(`killed ${killed.join(', ')}`);
    };
    try {
      await cluster.apply(webApp({ port: PORT, replicas: 3, replaceAfter: '50s' }), '--wait');
      const { sent, failures, changed, replaced, lost } = await underFault(bench, PORT, async () => {
        for (const part of [['n1'], controllers, ['etcd'], ['nats']]) {
          await kill(...part);
          await bench.heard();
        }
        await kill(...names);
      });
      must(`${String(sent)} requests, none failed`, failures.length === 0, failures);
      must('every container is the process that it was', changed.length === 0, changed);
      must('no task was replaced, no node given up', replaced.length + lost.length === 0, [...replaced, ...lost]);
      const names3 = await cluster.ctl('logs', 'load/watcher');
      must('tasks on three nodes resolved a name all the time', names3.includes('begun') && !names3.includes('BAD'), names3.slice(-500));
      await cluster.ctl('scale', 'load/web=5', '--wait');
      must('scale works', (await cluster.tasks('load/web')).filter(task => task['state'] === 'running').length === 5);
    } finally {
      await bench.leave();
      await cluster.ctl('delete', 'app/load');
    }
  },
};
