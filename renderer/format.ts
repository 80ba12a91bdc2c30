import { type Amount, formatTokens } from '../core/money.ts';
import type { UnixMs } from '../core/primitives.ts';
import type { Moment } from '../core/text/en.ts';
import { duration } from '../core/text/format.ts';
import type { Language } from '../core/text/index.ts';

const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', ja: 'ja-JP' };
const SHOWN = 4;
/** 10^-4 tokens: below it four decimals would show a present amount as zero. */
const SMALL = 10n ** 14n;
const SMALL_SHOWN = 9;

export type MoneyParts = { readonly whole: string; readonly fraction: string };

/** Numbers, dates and amounts in the owner's language. */
export type Format = {
  readonly locale: string;
  readonly number: (value: number, maxDecimals?: number) => string;
  /** `steady`: always four decimals, for figures that move. */
  readonly moneyParts: (amount: Amount, steady?: boolean) => MoneyParts;
  readonly money: (amount: Amount, symbol: string) => string;
  readonly memory: (mebibytes: number) => string;
  /** Of a span in milliseconds. */
  readonly span: (ms: number) => string;
  readonly dateTime: (at: UnixMs) => string;
  readonly day: (at: UnixMs) => string;
};

export function formatIn(language: Language): Format {
  const locale = LOCALES[language];
  const dateTime = new Intl.DateTimeFormat(locale, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
  const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const number = (value: number, maxDecimals = 0): string =>
    new Intl.NumberFormat(locale, { maximumFractionDigits: maxDecimals }).format(value);
  const moneyParts = (amount: Amount, steady = false): MoneyParts => {
    const decimals = !steady && amount > 0n && amount < SMALL ? SMALL_SHOWN : SHOWN;
    const [units = '0', fraction = ''] = formatTokens(amount, decimals, steady ? SHOWN : 2).split('.');
    return { whole: whole.format(BigInt(units)), fraction: `.${fraction}` };
  };
  return {
    locale,
    number,
    moneyParts,
    money: (amount, symbol) => {
      const parts = moneyParts(amount);
      return `${parts.whole}${parts.fraction} ${symbol}`;
    },
    memory: (mebibytes) => (mebibytes < 1024 ? `${number(mebibytes)} MiB` : `${number(mebibytes / 1024, 2)} GiB`),
    span: (ms) => duration(ms, language),
    dateTime: (at) => dateTime.format(at),
    day: (at) => day.format(at),
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
