export const VERSION = '0.1.0';

/** What `--version` prints. */
export const VERSION_LINE = `clusterctl (Gantry) ${VERSION}`;
