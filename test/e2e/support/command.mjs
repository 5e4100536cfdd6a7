// A command that runs while the test goes on: its lines as they come, its end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { cleanup } from './cleanup.mjs';
import { deadline } from './wait.mjs';

export class Command {
  constructor(program, args, options) {
    this.lines = []; // printed and not yet taken
    this.all = []; // every one that was printed
    this.waiters = [];
    this.log = ''; // standard error
    this.child = spawn(program, args, options);
    this.child.stdin.on('error', () => {}); // it may end without reading
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.log += text));
    const lines = createInterface({ input: this.child.stdout });
    lines.on('line', (line) => this.#printed(line));
    this.exited = once(this.child, 'close').then(([code, signal]) => code ?? signal);
    this.exited.then((code) => this.#fail(new Error(`it ended with ${code}: ${this.log}`)));
  }

  #printed(line) {
    this.all.push(line);
    const at = this.waiters.findIndex((waiter) => waiter.matches(line));
    if (at < 0) this.lines.push(line);
    else this.waiters.splice(at, 1)[0].resolve(line);
  }

  #fail(error) {
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }

  /** The first line that satisfies `matches`; it is taken off the list. */
  takeLine(matches, what = 'line') {
    const at = this.lines.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.lines.splice(at, 1)[0]);
    const taken = new Promise((resolve, reject) => {
      this.waiters.push({ matches, resolve, reject });
    });
    return deadline(taken, () => `no ${what}; printed: ${this.lines.join('\n')}\n${this.log}`);
  }

  /** The same of lines of JSON. */
  async take(matches, what) {
    return JSON.parse(await this.takeLine((line) => matches(JSON.parse(line)), what));
  }

  /** Waits for words on standard error. */
  async said(words) {
    const found = new Promise((resolve) => {
      const look = () => words.test(this.log) && resolve();
      look();
      this.child.stderr.on('data', look);
    });
    await deadline(found, () => `it never said ${words}: ${this.log}`);
  }

  type(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** The exit code, or the signal that it ended by. */
  end(signal) {
    if (signal) this.child.kill(signal);
    return deadline(this.exited, () => `it does not end: ${this.log}`);
  }
}

/** Starts `program`; it is killed when `t` ends, where it still runs. */
export function startCommand(t, program, args, options = {}) {
  const command = new Command(program, args, options);
  cleanup(t, async () => {
    command.child.kill('SIGKILL');
    await command.exited;
  });
  return command;
}
