/** Times and days as people write them where they are. */
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const MS_PER_DAY = 86_400_000;

/** The local day of a time: the same number for all times of it. */
export function dayOf(ms: number): number {
  const date = new Date(ms);
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / MS_PER_DAY);
}

export function dayName(ms: number, now: number): string {
  const ago = dayOf(now) - dayOf(ms);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return (ago > 0 && ago < 300 ? DAY : YEAR).format(ms);
}

export const clock = (ms: number): string => CLOCK.format(ms);
export const wholeTime = (ms: number): string => WHOLE.format(ms);
