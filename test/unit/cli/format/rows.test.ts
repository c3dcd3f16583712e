import test from 'ava';
import { appTable, eventTable, formatPorts, nodeTable, serviceTable, taskTable } from '../../../../cli/format/rows.ts';
import { formatTable } from '../../../../cli/format/table.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { T0 } from '../../../support/builders.ts';
import { golden } from '../../../support/golden.ts';

const VIEW = clusterView();
const NOW = T0 + 185_000;

test('tables as a person reads them', t => {
  const tables = [
    nodeTable(VIEW.nodes), serviceTable(VIEW.services, NOW, false), serviceTable(VIEW.services, NOW, true), taskTable(VIEW.tasks, VIEW.pending, NOW), appTable(VIEW, NOW),
    eventTable([{ type: 'warning', object: 'node/n1', reason: 'Lost', message: 'a\u001b[31mb', firstAtMs: T0, lastAtMs: T0, count: 2 }], NOW),
  ];
  golden(t, 'cli/tables.txt', tables.map(formatTable).join('\n'));
});

test('formatPorts', t => {
  t.is(formatPorts([
    { published: 80, target: 8080, protocol: 'tcp', mode: 'ingress', allowFrom: [] }, { target: 9, protocol: 'udp', mode: 'ingress', allowFrom: [] },
    { published: 5, target: 5, protocol: 'tcp', mode: 'host', allowFrom: [] },
  ]), '80->8080/tcp, 9/udp, 5->5/tcp (host)');
});
