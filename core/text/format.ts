import { dayAt } from '../calendar.ts';

/** Language-independent rendering of quantities, always with a unit. */

const pad = (value: number): string => String(value).padStart(2, '0');

/** Local time of day, 24 h. */
export function clockTime(at: number, moment: { readonly utcOffsetMinutes: number }): string {
  const minutes = Math.floor(at / 60_000) + moment.utcOffsetMinutes;
  const ofDay = ((minutes % 1440) + 1440) % 1440;
  return `${pad(Math.floor(ofDay / 60))}:${pad(ofDay % 60)}`;
}

/** The day of a moment in UTC. */
export const day = (at: number, language: 'en' | 'ja'): string =>
  new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'ja-JP', { dateStyle: 'long', timeZone: 'UTC' }).format(at);

const WORDS = { en: { h: ' h', m: ' min', s: ' s' }, ja: { h: '時間', m: '分', s: '秒' } } as const;

/** Two most significant units of a duration in ms, rounded up; never negative. */
export function duration(ms: number, language: 'en' | 'ja'): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const word = WORDS[language];
  const gap = language === 'en' ? ' ' : '';
  if (seconds < 60) return `${seconds}${word.s}`;
  if (seconds < 3600) {
    const rest = seconds % 60;
    return `${Math.floor(seconds / 60)}${word.m}${rest === 0 ? '' : `${gap}${rest}${word.s}`}`;
  }
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${Math.floor(seconds / 3600)}${word.h}${minutes === 0 ? '' : `${gap}${minutes}${word.m}`}`;
}

export const gibibytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;

/** Never as nothing: what is smaller than a MiB is one. */
export const mebibytes = (bytes: number): string =>
  bytes < 1024 ** 3 ? `${Math.max(1, Math.round(bytes / 1024 ** 2))} MiB` : gibibytes(bytes);
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** A local day of the year. */
export function calendarDay(at: number, moment: { readonly utcOffsetMinutes: number }, language: 'en' | 'ja'): string {
  const { month, day } = dayAt(at, moment.utcOffsetMinutes);
  return language === 'en' ? `${day} ${MONTHS[month - 1]}` : `${month}月${day}日`;
}
