/**
 * What a terminal, a log or a window would obey instead of show: control characters of both sets (the second has one that
 * begins commands too), what turns the direction of text around (Unicode Technical Report 36), line separators, what is
 * invisible, and halves of characters.
 */
const OBEYED =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Text from a stranger as it may be shown and stored: one line, and nothing in it but what can be seen. */
export const plainText = (text: string): string =>
  text.replaceAll(OBEYED, (found) => (/[\t\n\r\u2028\u2029]/.test(found) ? ' ' : '\ufffd'));

/** JSON on one line, in which what would be obeyed is written as an escape: it reads back as the same value. */
export const plainJson = (json: string): string =>
  json.replaceAll(OBEYED, (found) =>
    found
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
