const RESOURCES = 'resources: { requests: { cpus: 0.01, memory: 8Mi }, limits: { memory: 32Mi } }';

/** An App of services that all run a shell line; `more` are further lines of the service. */
export function shellApp(name: string, services: Readonly<Record<string, { readonly run: string; readonly more?: readonly string[] }>>): string {
  const lines = Object.entries(services).flatMap(([service, { run, more = [] }]) => [
    `  ${service}:`, '    image: hello:1', `    command: [/bin/sh, -c, ${JSON.stringify(run)}]`, `    ${RESOURCES}`,
    ...(more.some(line => line.startsWith('stop_grace_period')) ? [] : ['    stop_grace_period: 1s']), ...more.map(line => `    ${line}`),
  ]);
  return ['apiVersion: gantry/v1', 'kind: App', `metadata: { name: ${name} }`, 'services:', ...lines, ''].join('\n');
}
