import { ClusterError } from '#model/errors.ts';

const SIGNAL = /^(?:SIG)?(HUP|INT|QUIT|ABRT|KILL|USR1|USR2|PIPE|ALRM|TERM|CHLD|CONT|STOP|TSTP|TTIN|TTOU|URG|WINCH|IO|PWR)$/;

/** Like `signalName`; undefined for what a runtime may know and Node does not: numbers, real-time signals. */
export function knownSignal(text: string): NodeJS.Signals | undefined {
  return SIGNAL.test(text.toUpperCase()) ? signalName(text) : undefined;
}

/** `TERM` or `SIGTERM` as Node names it. @throws ClusterError INVALID_ARGUMENT for anything else */
export function signalName(text: string): NodeJS.Signals {
  const match = SIGNAL.exec(text.toUpperCase());
  if (match === null) {
    throw new ClusterError('INVALID_ARGUMENT', `signal ${JSON.stringify(text)} is not known`);
  }
  return `SIG${match[1] ?? ''}` as NodeJS.Signals;
}
