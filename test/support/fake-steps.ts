/** The agent dies at a step, or a step fails: what a fake node lets happen at each of its calls. */

class AgentDied extends Error {}

export class FakeSteps {
  /** Names of the steps so far. */
  readonly calls: string[] = [];
  /** Steps that throw once, by name. */
  readonly faults = new Map<string, Error>();
  /** Steps that throw until they are taken out again, by name. */
  readonly persistentFaults = new Map<string, Error>();
  #steps = 0;
  #crash: { readonly at: number; readonly isAfter: boolean } | undefined;
  #isDead = false;
  #onDeath: () => void = () => undefined;

  get steps(): number {
    return this.#steps;
  }

  /** The agent dies at its step number `at` (from 1), before or after the effect of that step. */
  crashAt(at: number, isAfter: boolean, onDeath: () => void): void {
    this.#crash = { at, isAfter };
    this.#onDeath = onDeath;
  }

  restartAgent(): void {
    this.#isDead = false;
    this.#crash = undefined;
  }

  protected failAsTold(name: string): void {
    const fault = this.faults.get(name) ?? this.persistentFaults.get(name);
    if (fault !== undefined) {
      this.faults.delete(name);
      throw fault;
    }
  }

  protected async step<Result>(name: string, effect: () => Result): Promise<Result> {
    await Promise.resolve();
    if (this.#isDead) {
      throw new AgentDied(name);
    }
    this.#steps += 1;
    this.calls.push(name);
    const isLast = this.#crash !== undefined && this.#steps >= this.#crash.at;
    if (isLast && this.#crash?.isAfter === false) {
      this.#die(name);
    }
    this.failAsTold(name);
    const result = effect();
    if (isLast) {
      this.#die(name);
    }
    return result;
  }

  #die(name: string): never {
    this.#isDead = true;
    this.#onDeath();
    throw new AgentDied(name);
  }
}
