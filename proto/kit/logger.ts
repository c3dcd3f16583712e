import { destination, pino, stdTimeFunctions } from 'pino';

/** The part of pino that Gantry uses: `log.info({ task: id }, 'adopted')`. Fields are named by the vocabulary: node, task, service, app. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

/** Never printed, at any depth that our records have. */
const REDACTED = ['content', '*.content', 'token', '*.token', 'password', '*.password', 'keyPem', '*.keyPem', 'environment', '*.environment'];

/** A logger that writes JSON lines to stderr. `level` is pino's: debug, info, warn, error, silent. */
export function createLogger(program: string, level: string): Logger {
  return pino(
    { name: program, level, redact: { paths: REDACTED, censor: '[redacted]' }, timestamp: stdTimeFunctions.isoTime },
    destination({ fd: 2, sync: true }),
  );
}
