/**
 * Layout of the control groups: mount points, and the files of version 1, version 2, or a hybrid of
 * both.
 */
export interface CgroupLayout {
  readonly version: 1 | 2;
  /**
   * Mount point of each controller (v1), or of the only hierarchy under the name `unified` (v2).
   */
  readonly roots: ReadonlyMap<string, string>;
  /**
   * v1 without a unified mount: where crun creates plain directories in memory, as if it were
   * mounted.
   */
  readonly plainRoot?: string;
}

/**
 * Source: crun 1.21, src/libcrun/cgroup-setup.c, enter_cgroup_v1(): it enters any directory that
 * exists for a hierarchy of /proc/self/cgroup
 */
const CRUN_UNIFIED = '/sys/fs/cgroup/unified';

/**
 * Parses the layout from the text of /proc/self/mountinfo. Any v1 controller makes it v1: the
 * unified mount of a hybrid has no controllers.
 * @throws RangeError if no control groups are mounted
 * Source: proc_pid_mountinfo(5); cgroups(7)
 */
export function cgroupLayout(mountinfo: string): CgroupLayout {
  const v1 = new Map<string, string>();
  const v2 = new Map<string, string>();
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const mountPoint = left.split(' ')[4] ?? '';
    const [type, , superOptions = ''] = right.split(' ');
    if (type === 'cgroup') {
      const names = superOptions.split(',').filter(option => option !== 'rw' && option !== 'ro' && option !== 'xattr' && !option.startsWith('release_agent='));
      names.forEach(name => v1.set(name, mountPoint));
    } else if (type === 'cgroup2') {
      v2.set('unified', mountPoint);
    }
  }
  if (v1.has('memory') || v1.has('pids')) {
    return { version: 1, roots: v1, ...(v2.size === 0 ? { plainRoot: CRUN_UNIFIED } : {}) };
  }
  if (v2.size === 0) {
    throw new RangeError('no control groups are mounted');
  }
  return { version: 2, roots: v2 };
}

/** Returns the group of the task of a container; undefined for ids of another form. */
export function taskGroupOf(containerId: string): string | undefined {
  return /^gantry-([a-z2-7]{12})-/.exec(containerId)?.[1];
}

/**
 * Returns true for the name of the group of a task: it contains the groups of its containers, and
 * no process.
 */
export function isTaskGroup(name: string): boolean {
  return /^[a-z2-7]{12}$/.test(name);
}

/**
 * Returns the directories of the group `path` (absolute inside the hierarchies), one per hierarchy,
 * unique and sorted.
 */
export function groupDirs(layout: CgroupLayout, path: string): readonly string[] {
  return [...new Set([...layout.roots.values()].map(root => `${root}${path}`))].sort();
}

/** Returns the directory that lists and freezes the processes of the group. */
export function processesDir(layout: CgroupLayout, path: string): string {
  const root = layout.version === 2 ? layout.roots.get('unified') : layout.roots.get('freezer') ?? layout.roots.get('pids');
  return `${root ?? '/sys/fs/cgroup'}${path}`;
}

/**
 * Returns, for version 1, the file that lists the processes of the group in the text of
 * /proc/self/cgroup. Source: cgroups(7), "/proc/pid/cgroup"
 */
export function ownProcessesFile(layout: CgroupLayout, selfCgroup: string): string {
  const path = /^\d+:(?:[^:]*,)?pids(?:,[^:]*)?:(.*)$/m.exec(selfCgroup)?.[1] ?? '/';
  return `${layout.roots.get('pids') ?? '/sys/fs/cgroup'}${path === '/' ? '' : path}/cgroup.procs`;
}

/**
 * Returns true if a process, by the text of its /proc/PID/cgroup, is in or below the group in each
 * hierarchy with limits. Source: cgroups(7), "/proc/pid/cgroup"
 */
export function isInGroup(layout: CgroupLayout, processCgroup: string, path: string): boolean {
  const lines = processCgroup.split('\n').map(line => /^\d+:([^:]*):(.*)$/.exec(line)).filter(match => match !== null);
  const limiting = lines.filter(([, controllers = '']) => layout.version === 2 ? controllers === '' : controllers.split(',').some(name => layout.roots.has(name) && !name.startsWith('name=')));
  return limiting.every(([, , group = '']) => group === path || group.startsWith(`${path}/`));
}

/** Returns the files with the number of processes and its limit. */
export function processCountFiles(layout: CgroupLayout, path: string): { readonly count: string; readonly limit: string } {
  const directory = `${layout.roots.get(layout.version === 2 ? 'unified' : 'pids') ?? '/sys/fs/cgroup'}${path}`;
  return { count: `${directory}/pids.current`, limit: `${directory}/pids.max` };
}

/** Returns the files for `parseUsage`, by the names that it uses. */
export function usageFiles(layout: CgroupLayout, path: string): Readonly<Record<string, string>> {
  const at = (controller: string, file: string): string => `${layout.roots.get(controller) ?? '/sys/fs/cgroup'}${path}/${file}`;
  if (layout.version === 2) {
    return {
      cpu: at('unified', 'cpu.stat'), memory: at('unified', 'memory.current'), memoryStat: at('unified', 'memory.stat'),
      memoryLimit: at('unified', 'memory.max'), processes: at('unified', 'pids.current'), oom: at('unified', 'memory.events'),
      io: at('unified', 'io.stat'), cpuPressure: at('unified', 'cpu.pressure'), memoryPressure: at('unified', 'memory.pressure'), ioPressure: at('unified', 'io.pressure'),
    };
  }
  return {
    cpu: at('cpuacct', 'cpuacct.usage'), memory: at('memory', 'memory.usage_in_bytes'), memoryStat: at('memory', 'memory.stat'),
    memoryLimit: at('memory', 'memory.limit_in_bytes'), processes: at('pids', 'pids.current'), oom: at('memory', 'memory.oom_control'),
    io: at('blkio', 'blkio.throttle.io_service_bytes_recursive'),
  };
}
