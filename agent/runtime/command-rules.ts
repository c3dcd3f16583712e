/** Why a command cannot be executed, told before a runtime is asked: each of them says it in its own way, or after the start. */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';

/** What the file of a command begins with, and what it is. `text` are its first bytes as Latin-1. */
export interface CommandFile {
  readonly kind: 'file' | 'directory' | 'other';
  readonly mode: number;
  readonly text: string;
}

/** Source: POSIX, "Shell Command Language", 2.8.2: 127, not found; 126, found and not executable. */
export const NOT_FOUND_CODE = 127;
export const NOT_EXECUTABLE_CODE = 126;

/** A command that cannot run; `exitCode` is what a shell would give. */
export class CommandError extends ClusterError {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super('FAILED_PRECONDITION', message);
    this.exitCode = exitCode;
  }
}

/** e_machine of the ABIs that we run. Source: elf(5); the System V ABI supplements */
const MACHINES = { x64: 62, arm64: 183 } as const;
const ELF_MAGIC = '\x7fELF';
const MACHINE_OFFSET = 18;
/** Source: execve(2), "Limits on size of arguments and environment": a quarter of the stack's limit of 8 MiB; a pointer each. */
const MAX_ARGUMENT_BYTES = 2 * 2 ** 20 - 4096;
const POINTER_BYTES = 8;

/** @throws CommandError when the command and its environment are more than the kernel takes */
export function requireArgumentSpace(args: readonly string[], env: readonly string[]): void {
  const bytes = [...args, ...env].reduce((sum, text) => sum + Buffer.byteLength(text) + 1 + POINTER_BYTES, 0);
  if (bytes > MAX_ARGUMENT_BYTES) {
    throw new CommandError(NOT_EXECUTABLE_CODE, `argument list too long: command and environment are ${String(bytes)} bytes, the kernel takes ${String(MAX_ARGUMENT_BYTES)}`);
  }
}

/**
 * Requires that the kernel would execute `file`; an interpreter line is followed by the caller, which `interpreterOf` names.
 *
 * @throws CommandError with the kernel's words
 */
export function requireExecutable(path: string, file: CommandFile | undefined, architecture: keyof typeof MACHINES): void {
  if (file === undefined) {
    throw new CommandError(NOT_FOUND_CODE, `command ${quoted(path)}: not found in the image`);
  }
  if (file.kind !== 'file') {
    throw new CommandError(NOT_EXECUTABLE_CODE, `command ${quoted(path)}: ${file.kind === 'directory' ? 'is a directory' : 'permission denied, it is no plain file'}`);
  }
  if ((file.mode & 0o111) === 0) {
    throw new CommandError(NOT_EXECUTABLE_CODE, `command ${quoted(path)}: permission denied, it is not executable (mode ${(file.mode & 0o7777).toString(8).padStart(4, '0')})`);
  }
  if (interpreterOf(file.text) === undefined && !isOwnElf(file.text, architecture)) {
    const why = file.text.startsWith(ELF_MAGIC) ? 'it is for another architecture' : 'it is no program and has no #! line';
    throw new CommandError(NOT_EXECUTABLE_CODE, `command ${quoted(path)}: exec format error, ${why}`);
  }
}

/** The program that a `#!` line names. Source: execve(2), "Interpreter scripts" */
export function interpreterOf(text: string): string | undefined {
  return /^#![ \t]*([^\s\0]+)/.exec(text)?.[1];
}

/** What a missing interpreter is told. */
export function missingInterpreter(path: string, interpreter: string): CommandError {
  return new CommandError(NOT_FOUND_CODE, `command ${quoted(path)}: interpreter ${quoted(interpreter)} not found in the image`);
}

/** Little-endian ELF of this machine's ABI. */
function isOwnElf(text: string, architecture: keyof typeof MACHINES): boolean {
  return text.startsWith(ELF_MAGIC) && text.charCodeAt(MACHINE_OFFSET) + 256 * text.charCodeAt(MACHINE_OFFSET + 1) === MACHINES[architecture];
}
