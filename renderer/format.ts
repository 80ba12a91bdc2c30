import { type Amount, formatTokens } from '../core/money.ts';
import type { UnixMs } from '../core/primitives.ts';
import type { Moment } from '../core/text/en.ts';
import { duration } from '../core/text/format.ts';
import type { Language } from '../core/text/index.ts';

const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', ja: 'ja-JP' };
/** Figures stand in columns and move, so they keep their width; a sentence says no more than it needs. */
const FIGURE_DECIMALS = 4;
const SENTENCE_LEAST = 2;
/** 10^-4 tokens: below it four decimals would show a present amount as zero. */
const SMALL = 10n ** 14n;
const SMALL_DECIMALS = 9;

export type MoneyParts = { readonly whole: string; readonly fraction: string };

/** Numbers, dates and amounts in the owner's language. */
export type Format = {
  readonly locale: string;
  readonly number: (value: number, maxDecimals?: number) => string;
  /**
   * A figure: always four decimals, and nine below 0.0001. `steady` keeps four even there, for what moves through small
   * amounts on its way.
   */
  readonly figure: (amount: Amount, steady?: boolean) => MoneyParts;
  /** In a sentence: two to four decimals, and up to nine below 0.0001. */
  readonly money: (amount: Amount, symbol: string) => string;
  readonly memory: (mebibytes: number) => string;
  /** Of a span in milliseconds. */
  readonly span: (ms: number) => string;
  readonly dateTime: (at: UnixMs) => string;
  /** Day of the week and hour, in the given zone. */
  readonly weekTime: (at: UnixMs, timeZone: string) => string;
  readonly time: (at: UnixMs) => string;
  readonly day: (at: UnixMs) => string;
  /** As short as a day can be said. */
  readonly axisDay: (at: UnixMs) => string;
};

export function formatIn(language: Language): Format {
  const locale = LOCALES[language];
  const dateTime = new Intl.DateTimeFormat(locale, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });
  const axisDay = new Intl.DateTimeFormat(locale, { month: language === 'ja' ? 'numeric' : 'short', day: 'numeric' });
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const number = (value: number, maxDecimals = 0): string =>
    new Intl.NumberFormat(locale, { maximumFractionDigits: maxDecimals }).format(value);
  const parts = (amount: Amount, least: number, most: number): MoneyParts => {
    const [units = '0', fraction = ''] = formatTokens(amount, most, least).split('.');
    return { whole: whole.format(BigInt(units)), fraction: `.${fraction}` };
  };
  const most = (amount: Amount): number => (amount > 0n && amount < SMALL ? SMALL_DECIMALS : FIGURE_DECIMALS);
  return {
    locale,
    number,
    figure: (amount, steady = false) => parts(amount, FIGURE_DECIMALS, steady ? FIGURE_DECIMALS : most(amount)),
    money: (amount, symbol) => {
      const said = parts(amount, SENTENCE_LEAST, most(amount));
      return `${said.whole}${said.fraction} ${symbol}`;
    },
    memory: (mebibytes) => (mebibytes < 1024 ? `${number(mebibytes)} MiB` : `${number(mebibytes / 1024, 2)} GiB`),
    span: (ms) => duration(ms, language),
    dateTime: (at) => dateTime.format(at),
    // Japanese would put the day in brackets behind the time, and those in the brackets of the sentence.
    weekTime: (at, timeZone) =>
      [{ weekday: language === 'ja' ? 'long' : 'short' } as const, { hour: '2-digit', minute: '2-digit' } as const]
        .map((part) => new Intl.DateTimeFormat(locale, { timeZone, ...part }).format(at))
        .join(' '),
    time: (at) => time.format(at),
    day: (at) => day.format(at),
    axisDay: (at) => axisDay.format(at),
  };
}

/** Groups of four, so that eyes can compare: "0x12Ab 34cd …". */
export const groupsOf = (address: string): readonly string[] => address.slice(2).match(/.{1,4}/g) ?? [];

/** First and last digits of a hash or digest; its whole is one copy away. */
export function shortHash(value: string): string {
  const digits = value.replace(/^(sha256:|0x)/, '');
  return digits.length <= 14 ? digits : `${digits.slice(0, 6)}…${digits.slice(-6)}`;
}

export const momentAt = (now: UnixMs): Moment => ({ now, utcOffsetMinutes: -new Date(now).getTimezoneOffset() });
