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

/** The ports that the proxy publishes. */
export interface ProxyChoice {
  /** A connection to `back` for each request, which is sent once. */
  readonly plainPort: number;
  /** Connections to `back` stay for four requests each. */
  readonly keptPort: number;
  /** As `plainPort`, and a request that fails is sent once more. */
  readonly retryPort: number;
  readonly replaceAfter: string;
}

/**
 * A service `back` with one task a node at most, and `front`, one task of nginx that sends requests on to it. `front` asks by the service's name: the address
 * is the virtual one, so that the node of `front` decides which task answers.
 */
export function proxyApp({ plainPort, keptPort, retryPort, replaceAfter }: ProxyChoice): string {
  return `
apiVersion: gantry/v1
kind: App
metadata: { name: proxied }
services:
  back:
    image: shop-nginx:1
    replicas: 3
    ports: [{ target: 80 }]
    configs: [{ source: back, target: /etc/nginx/nginx.conf }]
    healthcheck: { tcp: { port: 80 }, interval: 1s, timeout: 1s, retries: 3, start_period: 5s }
    placement: { max_per: { node: 1 } }
    ${NGINX}
    on_disconnect: { replace_after: ${replaceAfter} }
  front:
    image: shop-nginx:1
    replicas: 1
    ports: ["${String(plainPort)}:80", "${String(keptPort)}:81", "${String(retryPort)}:82"]
    configs: [{ source: front, target: /etc/nginx/nginx.conf }]
    depends_on: { back: { condition: service_healthy } }
    healthcheck: { tcp: { port: 80 }, interval: 1s, timeout: 1s, retries: 3, start_period: 5s }
    ${NGINX}
configs:
  back: { content: '${NGINX_START} server { listen 80; return 200 "here"; } }' }
  front: { content: '${NGINX_START} proxy_connect_timeout 2s; proxy_read_timeout 2s; proxy_http_version 1.1; proxy_set_header Connection "";
      upstream once { server back:80; } server { listen 80; location / { proxy_pass http://once; } }
      upstream kept { server back:80; keepalive 8; keepalive_requests 4; } server { listen 81; location / { proxy_pass http://kept; } }
      upstream again { server back:80 max_fails=0; server back:80 max_fails=0; } server { listen 82; location / { proxy_pass http://again; } } }' }
`;
}

const NGINX = `volumes: [{ type: tmpfs, target: /var/lib/nginx, size: 16Mi }]
    stop_grace_period: 1s
    resources: { requests: { cpus: 0.02, memory: 16Mi }, limits: { memory: 64Mi } }`;
const NGINX_START = 'worker_processes 1; error_log stderr crit; pid /run/nginx.pid; events { worker_connections 512; } http { access_log off;';

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
