// Waiting for conditions. The deadline only tells a hang from a slow machine.
const DEADLINE_MS = Number(process.env.SYNCDB_E2E_DEADLINE_MS ?? 30_000);

/** `promise`, or an error with `describe()` when it takes suspiciously long. */
export async function deadline(promise, describe) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(describe())), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `condition` again and again until it gives something, for what sends no message. */
export async function until(condition, what) {
  const began = Date.now();
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() - began > DEADLINE_MS) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
