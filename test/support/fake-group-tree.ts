import type { CgroupLayout } from '../../agent/cgroup/cgroup-files.ts';
import type { GroupFiles } from '../../agent/cgroup/ports.ts';

/** What a group of each controller is born with. */
const BORN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: { 'cpu.shares': '1024', 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '-1' },
  cpuacct: { 'cpuacct.usage': '0' },
  cpuset: { 'cpuset.cpus': '0-1' },
  memory: {
    'memory.limit_in_bytes': '9223372036854771712', 'memory.memsw.limit_in_bytes': '9223372036854771712', 'memory.soft_limit_in_bytes': '9223372036854771712',
    'memory.usage_in_bytes': '0', 'memory.stat': 'total_inactive_file 0\n', 'memory.oom_control': 'oom_kill 0\n',
  },
  pids: { 'pids.max': 'max', 'pids.current': '0' },
  blkio: {
    'blkio.bfq.weight': '100', 'blkio.throttle.read_bps_device': '', 'blkio.throttle.write_bps_device': '', 'blkio.throttle.read_iops_device': '',
    'blkio.throttle.write_iops_device': '', 'blkio.throttle.io_service_bytes_recursive': 'Total 0\n',
  },
  hugetlb: Object.fromEntries(['2MB', '1GB'].flatMap(size => ['', '.rsvd'].map(part => [`hugetlb.${size}${part}.limit_in_bytes`, '9223372036854771712']))),
  freezer: { 'freezer.state': 'THAWED' },
  unified: {
    'cpu.weight': '100', 'cpu.max': 'max 100000', 'cpu.stat': 'usage_usec 0\n', 'cpuset.cpus': '', 'cpuset.cpus.effective': '0-1',
    'memory.max': 'max', 'memory.swap.max': 'max', 'memory.low': '0', 'memory.current': '0', 'memory.stat': 'inactive_file 0\n', 'memory.events': 'oom_kill 0\n',
    'pids.max': 'max', 'pids.current': '0', 'io.weight': 'default 100', 'io.max': '', 'io.stat': '',
    ...Object.fromEntries(['2MB', '1GB'].flatMap(size => ['', '.rsvd'].map(part => [`hugetlb.${size}${part}.max`, 'max']))),
    ...Object.fromEntries(['cpu', 'memory', 'io'].map(name => [`${name}.pressure`, 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n'])),
    'cgroup.freeze': '0', 'cgroup.events': 'populated 0\nfrozen 0\n', 'cgroup.kill': '',
  },
};

/** Disks that it knows. */
const DISK = '254:0';

/** Every group is by itself; only freezing and ending reach what is below. */
export class FakeGroupTree implements GroupFiles {
  readonly layout: CgroupLayout;
  /** `file = text` of each write, in order; files by their path below the mount of all. */
  readonly writes: string[] = [];
  /** Processes that ignore what freezes. */
  readonly restless = new Set<number>();
  /** What a runtime made in `plainRoot`, as paths. */
  readonly plain = new Set<string>();
  readonly #groups = new Map<string, Map<string, string>>();
  readonly #groupOf = new Map<number, string>();
  readonly #doomed = new Set<number>();

  constructor(version: 1 | 2) {
    const names = version === 2 ? ['unified'] : Object.keys(BORN).filter(name => name !== 'unified');
    this.layout = { version, roots: new Map(names.map(name => [name, version === 2 ? '/cgroup' : `/cgroup/${name}`])), ...(version === 1 ? { plainRoot: '/plain' } : {}) };
    for (const [name, root] of this.layout.roots) this.#bear(root, name);
  }

  /** The group and those above it, in every hierarchy, as a runtime makes them. */
  make(path: string): void {
    for (const [name, root] of this.layout.roots) {
      path.split('/').slice(1).reduce((dir, part) => {
        this.#bear(`${dir}/${part}`, name);
        return `${dir}/${part}`;
      }, root);
    }
    if (this.layout.plainRoot !== undefined) this.plain.add(`${this.layout.plainRoot}${path}/cgroup.procs`);
  }

  /** Puts a process into the group. */
  enter(path: string, pid: number): void {
    this.#groupOf.set(pid, path);
  }

  isAlive(pid: number): boolean {
    return this.#groupOf.has(pid);
  }

  standsStill(pid: number): boolean {
    return this.#isFrozen(this.#groupOf.get(pid) ?? '');
  }

  read(path: string): string | undefined {
    const [, pid, file] = /^\/proc\/(\d+|self)\/(\w+)$/.exec(path) ?? [];
    if (pid !== undefined) return this.#readProcess(pid, file ?? '');
    const [dir, name] = split(path);
    return this.#groups.has(dir) ? this.#readGroup(dir, name) : undefined;
  }

  directoriesIn(dir: string): readonly string[] {
    if (dir === '/sys/kernel/mm/hugepages') return ['hugepages-1048576kB', 'hugepages-2048kB'];
    const plain = [...this.plain].filter(path => path.startsWith(`${dir}/`)).map(path => path.slice(dir.length + 1).split('/'));
    return [
      ...[...this.#groups.keys()].filter(other => split(other)[0] === dir).map(other => split(other)[1]),
      ...new Set(plain.flatMap(([name = '', ...rest]) => (rest.length > 0 ? [name] : []))),
    ];
  }

  write(path: string, text: string): void {
    const [dir, name] = split(path);
    const group = this.#groups.get(dir);
    if (group === undefined || (name !== 'cgroup.procs' && !group.has(name))) throw answer('ENOENT');
    if (/throttle|io\.max/.test(name) && text.split(' ')[0] !== DISK) throw answer('ENODEV');
    this.writes.push(`${path.slice('/cgroup/'.length)} = ${text.trim()}`);
    group.set(name, text);
    if (name === 'cgroup.procs') this.#groupOf.set(Number(text), this.#pathOf(dir));
    if (name === 'cgroup.kill') this.#processesIn(this.#pathOf(dir)).forEach(pid => this.#groupOf.delete(pid));
    this.#endDoomed();
  }

  async writeOnThread(path: string, text: string): Promise<void> {
    await Promise.resolve();
    this.write(path, text);
  }

  /** What only the kernel writes, e.g. how much memory is in use. */
  set(path: string, text: string): void {
    const [dir, name] = split(path);
    this.#groups.get(dir)?.set(name, text);
  }

  remove(dir: string): void {
    if ([...this.plain].some(path => isBelow(path, dir))) throw answer('ENOTEMPTY');
    if (this.directoriesIn(dir).length > 0 || (this.#groups.has(dir) && this.#processesIn(this.#pathOf(dir)).length > 0)) throw answer('EBUSY');
    this.#groups.delete(dir);
  }

  removePlain(dir: string): void {
    for (const path of [...this.plain].filter(one => isBelow(one, dir))) this.plain.delete(path);
  }

  kill(pid: number): void {
    this.#doomed.add(pid);
    this.#endDoomed();
  }

  /** Version 1: a killed process that stands still waits. Source: cgroup-v1/freezer-subsystem.rst */
  #endDoomed(): void {
    for (const pid of this.#doomed) {
      const path = this.#groupOf.get(pid);
      if (path === undefined || !this.#isFrozen(path)) this.#groupOf.delete(pid);
    }
  }

  #bear(dir: string, controller: string): void {
    if (!this.#groups.has(dir)) this.#groups.set(dir, new Map(Object.entries(BORN[controller] ?? {})));
  }

  #readGroup(dir: string, name: string): string | undefined {
    switch (name) {
      case 'cgroup.procs': return this.#processesIn(this.#pathOf(dir)).map(one => `${String(one)}\n`).join('');
      case 'pids.current': return `${String([...this.#groupOf.values()].filter(at => isBelow(at, this.#pathOf(dir))).length)}\n`;
      case 'freezer.state': return this.#isFrozen(this.#pathOf(dir)) ? this.#hasRestless(dir) ? 'FREEZING\n' : 'FROZEN\n' : 'THAWED\n';
      case 'cgroup.events': return `populated 1\nfrozen ${this.#isFrozen(this.#pathOf(dir)) && !this.#hasRestless(dir) ? '1' : '0'}\n`;
      default: return this.#groups.get(dir)?.get(name);
    }
  }

  #readProcess(pid: string, file: string): string | undefined {
    const path = pid === 'self' ? '/agents' : this.#groupOf.get(Number(pid));
    if (path === undefined) return undefined;
    return file === 'stat' ? `${pid} (some) S 1 1 1 0 -1 0 0` : [...this.layout.roots.keys()].map(name => `1:${name === 'unified' ? '' : name}:${path}\n`).join('');
  }

  #processesIn(path: string): readonly number[] {
    return [...this.#groupOf].filter(([, at]) => at === path).map(([pid]) => pid);
  }

  #pathOf(dir: string): string {
    const root = [...this.layout.roots.values()].find(one => dir === one || dir.startsWith(`${one}/`)) ?? '';
    return dir.slice(root.length);
  }

  /** By itself or with one above it. */
  #isFrozen(path: string): boolean {
    const root = this.layout.roots.get(this.layout.version === 2 ? 'unified' : 'freezer') ?? '';
    const [file, word] = this.layout.version === 2 ? ['cgroup.freeze', '1'] as const : ['freezer.state', 'FROZEN'] as const;
    return [...this.#groups].some(([dir, files]) => (dir === root || dir.startsWith(`${root}/`)) && isBelow(path, dir.slice(root.length)) && files.get(file) === word);
  }

  #hasRestless(dir: string): boolean {
    return [...this.restless].some(pid => isBelow(this.#groupOf.get(pid) ?? '', this.#pathOf(dir)));
  }
}

function split(path: string): readonly [string, string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, at), path.slice(at + 1)];
}

function isBelow(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`);
}

function answer(code: string): Error {
  return Object.assign(new Error(code), { code });
}
