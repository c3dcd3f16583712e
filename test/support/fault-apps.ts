/** Manifests of the services that fault tests run. Every image is hello's: busybox. */

const SMALL = '{ requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi } }';

export interface WebChoice {
  readonly port: number;
  readonly replicas: number;
  /** A change of it makes another template. */
  readonly color?: string;
  /** Default: as fits the short times of tests. */
  readonly replaceAfter?: string;
  /** It gets requests once it answers, not as soon as it runs. */
  readonly isProbed?: boolean;
}

/** An at-least-one service `web` behind a published port, and `watcher`, whose tasks resolve its name without end and print `BAD` when they cannot. */
export function webApp({ port, replicas, color = 'blue', replaceAfter = '6s', isProbed = false }: WebChoice): string {
  return `
apiVersion: gantry/v1
kind: App
metadata: { name: load }
services:
  web:
    image: hello:1
    init: true
    replicas: ${String(replicas)}
    ports: ["${String(port)}:80"]
    environment: { COLOR: ${color} }${isProbed ? '\n    healthcheck: { tcp: { port: 80 }, interval: 1s, timeout: 1s, retries: 3, start_period: 2s }' : ''}
    stop_grace_period: 2s
    on_disconnect: { replace_after: ${replaceAfter} }
    update: { max_surge: 2, max_unavailable: 0, monitor: 500ms }
    resources: ${SMALL}
  watcher:
    image: hello:1
    init: true
    replicas: 3
    stop_grace_period: 1s
    on_disconnect: { replace_after: ${replaceAfter} }
    placement: { max_per: { node: 1 } }
    command: ["/bin/sh", "-c", "until nslookup -type=a web.load.default.gantry.internal >/dev/null 2>&1; do sleep 0.1; done; echo begun; while true; do nslookup -type=a web.load.default.gantry.internal >/dev/null 2>&1 || echo BAD; sleep 0.3; done"]
    resources: ${SMALL}
`;
}

/** An exclusive service `one` whose tasks print the machine's uptime and their fence each tenth of a second: so their logs tell when each of them ran. */
export function soloApp(replicas: number): string {
  return `
apiVersion: gantry/v1
kind: App
metadata: { name: solo }
services:
  one:
    image: hello:1
    init: true
    replicas: ${String(replicas)}
    stop_grace_period: 1s
    on_disconnect: { stop_after: 4s, replace_after: 15s }
    update: { monitor: 500ms }
    command: ["/bin/sh", "-c", 'while read -r up rest < /proc/uptime; do echo "$$up $$GANTRY_FENCE"; sleep 0.1; done']
    resources: ${SMALL}
`;
}

/** A stateful service `db` that is held on loss; each task beats on the lock of its ordinal while it runs. */
export function lockApp(server: { readonly address: string; readonly port: number }, replicas: number): string {
  const url = `http://${server.address}:${String(server.port)}/hold/db-$GANTRY_SLOT/$GANTRY_TASK-$$`;
  return `
apiVersion: gantry/v1
kind: App
metadata: { name: locks }
services:
  db:
    kind: stateful
    image: hello:1
    init: true
    replicas: ${String(replicas)}
    stop_grace_period: 1s
    command: ["/bin/sh", "-c", "while true; do wget -q -T 1 -O /dev/null ${url.replaceAll('$', '$$')}; sleep 0.1; done"]
    resources: ${SMALL}
`;
}
