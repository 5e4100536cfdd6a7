// What a test leaves behind goes in reverse order: clients, then the server, then its folder.
const stacks = new WeakMap();

/** Runs `action` when the test `t` ends. One that fails does not keep the others from running. */
export function cleanup(t, action) {
  const known = stacks.get(t);
  if (known) {
    known.push(action);
    return;
  }
  const actions = [action];
  stacks.set(t, actions);
  t.after(async () => {
    const errors = [];
    for (const undo of actions.reverse()) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  });
}

/** What stands for `t` where things live as long as the file: call `end` in its `after`. */
export function suiteCleanup() {
  const actions = [];
  return {
    after: (action) => actions.push(action),
    end: async () => {
      for (const action of actions) await action();
    },
  };
}
