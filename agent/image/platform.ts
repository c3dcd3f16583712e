/**
 * Chooses the manifest of an index that fits a node, as containerd does.
 * Source: containerd/platforms, compare.go (platformVector), database.go (normalizeArch),
 * MatchComparer of an entry without platform
 */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';

export interface Platform {
  readonly os: string;
  /** Name as in Go: amd64, arm64, arm. */
  readonly architecture: string;
  /** Variant such as v8 or v7; absent: the default of the architecture. */
  readonly variant?: string;
}

/** Default variant of each architecture. */
const USUAL_VARIANTS: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };
/** Other names of architectures. */
const NAMES: Readonly<Record<string, string>> = { 'x86_64': 'amd64', 'x86-64': 'amd64', 'aarch64': 'arm64', 'armhf': 'arm', 'armel': 'arm' };

/**
 * Returns the best entry for `platform`: the highest variant of its architecture that it runs, the
 * first of equal ones; else the first entry without a platform, whose config is checked later.
 * @throws ClusterError FAILED_PRECONDITION with the available platforms
 */
export function choosePlatform<Entry extends { readonly platform?: Platform }>(entries: readonly Entry[], platform: Platform): Entry {
  const fitting = entries.flatMap(entry => {
    const rank = entry.platform === undefined ? 0 : rankOf(entry.platform, platform);
    return rank === undefined ? [] : [{ entry, rank }];
  });
  const best = fitting.reduce<typeof fitting[number] | undefined>((known, one) => (known === undefined || one.rank > known.rank ? one : known), undefined);
  if (best === undefined) {
    const offered = entries.flatMap(entry => (entry.platform === undefined ? [] : [formatPlatform(entry.platform)]));
    throw new ClusterError('FAILED_PRECONDITION', `the image has no ${formatPlatform(platform)} variant, only ${quoted(offered.join(', '))}`);
  }
  return best.entry;
}

/** Formats as `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant = '' }: Platform): string {
  return `${os}/${architecture}${variant === '' ? '' : `/${variant}`}`;
}

/** Returns a rank from 1, higher is better; undefined if it does not run there. */
function rankOf(offered: Platform, node: Platform): number | undefined {
  const [theirs, ours] = [normalized(offered), normalized(node)];
  if (theirs.os !== ours.os || theirs.architecture !== ours.architecture) {
    return undefined;
  }
  if (theirs.variant === ours.variant) {
    return Number.MAX_SAFE_INTEGER;
  }
  const [level, own] = [levelOf(theirs.variant), levelOf(ours.variant)];
  return level === undefined || own === undefined || level > own ? undefined : level;
}

function normalized({ os, architecture, variant = '' }: Platform): Required<Platform> {
  const name = architecture.toLowerCase();
  const known = NAMES[name] ?? name;
  const usual = name === 'armel' ? 'v6' : USUAL_VARIANTS[known] ?? '';
  const text = variant.toLowerCase();
  return { os: os.toLowerCase(), architecture: known, variant: text === '' ? usual : /^\d+$/.test(text) ? `v${text}` : text };
}

/** Returns 7 for `v7`. */
function levelOf(variant: string): number | undefined {
  const digits = /^v([1-9]\d?)$/.exec(variant)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
