import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { parseNodeId } from '#model/ids.ts';
import { imageFields, imageFormatRows, nodeFields, taskFields } from '../../../../cli/format/template-fields.ts';
import { readFormat } from '../../../../cli/format/template.ts';
import type { ImageRow } from '../../../../cli/node-images.ts';
import { T0 } from '../../../support/builders.ts';
import { clusterView, taskView, WEB } from '../../../support/cluster-view.ts';

const DIGEST = parseDigest(`sha256:${'0123456789abcdef'.repeat(4)}`);
const NOW = T0 + 180_000;

test('a task by docker\'s names', t => {
  const row = { slot: { task: taskView(WEB, 0, 'n1', { health: 'healthy', startedAtMs: T0 }) }, writableBytes: 1_450 };
  const write = (template: string): string | undefined => readFormat(template, taskFields(NOW))?.write([row]);
  t.is(write('{{.ID}} {{.Names}} {{.Status}} {{.RunningFor}} {{.Ports}} {{.Size}}'), 'webaaaaaaaaa web-0-webaa Up 3m (healthy) 3m ago 80->8080/tcp 1.45kB\n');
  t.is(write('{{.Namespace}}/{{.App}}/{{.Service}} {{.Slot}} {{.Node}} {{.State}} {{.Health}} {{.Restarts}} {{.Address}}'), 'default/shop/web 0 n1 running healthy 0 10.128.0.10\n');
});
test('an ended task says how long ago and with which code', t => {
  const ended = taskView(WEB, 0, 'n1', { phase: 'failed', lastExit: { attempt: 1, code: 137, reason: 'OOMKilled', finishedAtMs: T0 } });
  t.is(readFormat('{{.Status}} {{.ExitCode}}', taskFields(NOW))?.write([{ slot: { task: ended } }]), 'Exited (137) 3m ago 137\n');
  const starting = taskView(WEB, 0, 'n1', { phase: 'starting' });
  t.is(readFormat('{{.Status}}{{.Size}}', taskFields(NOW))?.write([{ slot: { task: starting } }]), 'Starting\n');
});
test('a slot without a task', t => {
  const [pending] = clusterView().pending;
  t.truthy(pending);
  t.is(pending && readFormat('{{.ID}}|{{.Names}}|{{.Service}}|{{.State}}|{{.Reason}}', taskFields(NOW))?.write([{ slot: { pending } }]), '|web-2|web|pending|no node has room\n');
});
test('an image has a row a name, and <none> without one', t => {
  const image: ImageRow = {
    digest: DIGEST, names: ['r:5000/web:1', 'r:5000/web'], sizeBytes: 2 ** 20, layers: [], config: { user: '', environment: [], entrypoint: [], command: [], workingDir: '/', stopSignal: '' },
    nodes: [{ node: parseNodeId('n1'), pulledAtMs: T0, usedAtMs: T0, tasks: [] }],
  };
  const write = (rows: readonly ImageRow[]): string | undefined => readFormat('{{.Repository}} {{.Tag}} {{.ID}} {{.Nodes}} {{.UsedSince}}', imageFields(NOW))?.write(imageFormatRows(rows));
  t.is(write([image]), 'r:5000/web 1 0123456789ab n1 3m ago\nr:5000/web <none> 0123456789ab n1 3m ago\n');
  t.is(write([{ ...image, names: [] }]), '<none> <none> 0123456789ab n1 3m ago\n');
});
test('a node', t => {
  const { nodes, tasks } = clusterView();
  const write = readFormat('{{.Hostname}} {{.Status}} {{.Availability}} {{.Labels}} {{.Taints}} {{.Tasks}}', nodeFields(NOW))?.write(nodes.map(node => ({ node, tasks })));
  t.is(write, 'n1 ready active arch=amd64,node=n1,os=linux,zone=a  2\nn2 cordoned cordoned arch=amd64,node=n2,os=linux spot 1\n');
});
