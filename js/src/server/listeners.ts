/** Listeners that cannot take the server down: what one throws goes to standard error. */

/** A list of listeners. */
export class Listeners<Arguments extends readonly unknown[]> {
  readonly #listeners = new Set<(...told: Arguments) => void>();

  get size(): number {
    return this.#listeners.size;
  }

  /** Adds one. Gives what takes it off again. */
  add(listener: (...told: Arguments) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(...told: Arguments): void {
    for (const listener of this.#listeners) {
      try {
        listener(...told);
      } catch (error) {
        console.error("syncdb: a listener failed:", error);
      }
    }
  }
}
