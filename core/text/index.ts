import { en, type Text } from './en.ts';
import { ja } from './ja.ts';

export type Language = 'en' | 'ja';

/** `systemLocale` is a BCP 47 tag such as "ja-JP"; anything but Japanese reads English. */
export const languageOf = (choice: 'system' | Language, systemLocale: string): Language =>
  choice !== 'system' ? choice : systemLocale.toLowerCase().startsWith('ja') ? 'ja' : 'en';

const TEXTS: Readonly<Record<Language, Text>> = { en, ja };

export const textIn = (language: Language): Text => TEXTS[language];
