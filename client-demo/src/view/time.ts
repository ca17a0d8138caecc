const OWN = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions();
/** The page is in English, whatever the browser speaks; of its own only the clock's 12 or 24 hours are taken. */
const LOCALE = /^en\b/.test(OWN.locale) ? OWN.locale : "en-GB";
const HOURS = OWN.hourCycle === undefined ? {} : { hourCycle: OWN.hourCycle };

const CLOCK = new Intl.DateTimeFormat(LOCALE, { timeStyle: "short", ...HOURS });
const FULL = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full", timeStyle: "short", ...HOURS });
const DAY = new Intl.DateTimeFormat(LOCALE, { weekday: "long", day: "numeric", month: "long" });
const DAY_AND_YEAR = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric" });
const AGO = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "long" });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY_LONG = 24 * HOUR;

export type Moment = string | number;

/** `14:05`, or `2:05 PM`: the one form in which times are shown. */
export function clock(at: Moment): string {
  return CLOCK.format(new Date(at));
}

/** The whole date and time, for whoever points at a short one. */
export function fully(at: Moment): string {
  return FULL.format(new Date(at));
}

/** Two moments with the same key are on the same day, by this computer's calendar. */
export function dayKey(at: Moment): string {
  return new Date(at).toDateString();
}

/** `Today`, `Yesterday`, `Friday 14 November`, or with its year when that is another one. */
export function dayName(at: Moment, now: number): string {
  const day = dayKey(at);
  if (day === dayKey(now)) return "Today";
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (day === yesterday.toDateString()) return "Yesterday";
  const date = new Date(at);
  return (date.getFullYear() === new Date(now).getFullYear() ? DAY : DAY_AND_YEAR).format(date);
}

/** `5 minutes ago` */
export function ago(at: Moment, now: number): string {
  const past = now - new Date(at).getTime();
  if (past < MINUTE) return "just now";
  if (past < HOUR) return AGO.format(-Math.floor(past / MINUTE), "minute");
  if (past < DAY_LONG) return AGO.format(-Math.floor(past / HOUR), "hour");
  return AGO.format(-Math.floor(past / DAY_LONG), "day");
}
