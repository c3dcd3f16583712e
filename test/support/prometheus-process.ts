import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './free-port.ts';

const SHIPPED = path.resolve(import.meta.dirname, '../../deploy/prometheus');

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface ScrapeTarget {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
  readonly lastError: string;
}

/** A real Prometheus with the configuration that is shipped: only controllers' addresses, keys and the interval are filled in. */
export class PrometheusProcess {
  readonly #directory: string;
  readonly #url: string;
  readonly #child: ChildProcess;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#url = `http://127.0.0.1:${String(port)}`;
    this.#child = spawn('prometheus', [
      `--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${String(port)}`, '--log.level=warn',
    ], { stdio: 'ignore' });
  }

  /** `pki` is a directory with ca.pem, certificate.pem and key.pem. */
  static async start(controllers: readonly string[], pki: string): Promise<PrometheusProcess> {
    const directory = mkdtempSync(path.join(tmpdir(), 'gantry-prometheus-'));
    for (const file of ['ca.pem', 'certificate.pem', 'key.pem']) {
      copyFileSync(path.join(pki, file), path.join(directory, file));
    }
    copyFileSync(path.join(SHIPPED, 'rules.yml'), path.join(directory, 'rules.yml'));
    const lines = readFileSync(path.join(SHIPPED, 'prometheus.yml'), 'utf8').split('\n')
      .flatMap(line => (line.includes('//CONTROLLER:7401/') ? controllers.map(address => line.replace('CONTROLLER:7401', address)) : [line]))
      .map(line => line.replace(/_interval: 15s/g, '_interval: 1s'));
    writeFileSync(path.join(directory, 'prometheus.yml'), lines.join('\n'));
    return new PrometheusProcess(directory, await freePort());
  }

  /** One that scrapes nothing. */
  static async startEmpty(): Promise<PrometheusProcess> {
    const directory = mkdtempSync(path.join(tmpdir(), 'gantry-prometheus-'));
    writeFileSync(path.join(directory, 'prometheus.yml'), 'scrape_configs: []\n');
    return new PrometheusProcess(directory, await freePort());
  }

  get url(): string {
    return this.#url;
  }

  async targets(): Promise<readonly ScrapeTarget[]> {
    return (await this.#get<{ readonly activeTargets: readonly ScrapeTarget[] }>('/api/v1/targets?state=active')).activeTargets;
  }

  async query(expression: string): Promise<readonly Series[]> {
    return (await this.#get<{ readonly result: readonly Series[] }>(`/api/v1/query?query=${encodeURIComponent(expression)}`)).result;
  }

  /** `NAME state` of every alert that is pending or firing. */
  async alerts(): Promise<readonly string[]> {
    const { alerts } = await this.#get<{ readonly alerts: readonly { readonly labels: { readonly alertname: string }; readonly state: string }[] }>('/api/v1/alerts');
    return alerts.map(alert => `${alert.labels.alertname} ${alert.state}`);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'exit');
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #get<Data>(url: string): Promise<Data> {
    const answer = await (await fetch(`${this.#url}${url}`)).json() as { readonly status: string; readonly data: Data; readonly error?: string };
    if (answer.status !== 'success') {
      throw new Error(`${url}: ${answer.error ?? ''}`);
    }
    return answer.data;
  }
}
