import { describe, expect, it } from 'vitest';
import { scheduleSchema } from '../../../core/schedule.ts';
import { formatIn } from '../../../renderer/format.ts';
import { ALWAYS, isOpen, moved, NIGHTS_AND_WEEKENDS, opposite, painted } from '../../../renderer/week.ts';

describe('the week', () => {
  it.each([{ week: ALWAYS }, { week: NIGHTS_AND_WEEKENDS }])(
    'has ready-made choices that the settings accept',
    ({ week }) => {
      expect(scheduleSchema.parse({ week: [...week] }).week).toEqual(week);
    },
  );

  it('takes one hour, a day, an hour of every day, or all', () => {
    const count = (week: readonly string[]) => week.join('').replaceAll('0', '').length;
    const closed = painted(ALWAYS, { day: -1, hour: -1 }, false);
    expect(count(closed)).toBe(0);
    expect(count(painted(closed, { day: 2, hour: 5 }, true))).toBe(1);
    expect(isOpen(painted(closed, { day: 2, hour: 5 }, true), { day: 2, hour: 5 })).toBe(true);
    expect(count(painted(closed, { day: 2, hour: -1 }, true))).toBe(24);
    expect(count(painted(closed, { day: -1, hour: 5 }, true))).toBe(7);
  });

  it('opens a line that is partly open, and closes one that is wholly open', () => {
    const almost = painted(ALWAYS, { day: 0, hour: 3 }, false);
    expect(opposite(almost, { day: 0, hour: -1 })).toBe(true);
    expect(opposite(almost, { day: 1, hour: -1 })).toBe(false);
    expect(opposite(almost, { day: 0, hour: 3 })).toBe(true);
    expect(opposite(almost, { day: -1, hour: -1 })).toBe(true);
  });

  it('is walked with the arrows, from the headings to the last hour and no further', () => {
    expect(moved({ day: 0, hour: 0 }, 'ArrowUp')).toEqual({ day: -1, hour: 0 });
    expect(moved({ day: -1, hour: -1 }, 'ArrowLeft')).toEqual({ day: -1, hour: -1 });
    expect(moved({ day: 6, hour: 23 }, 'ArrowDown')).toEqual({ day: 6, hour: 23 });
    expect(moved({ day: 3, hour: 7 }, 'End')).toEqual({ day: 3, hour: 23 });
    expect(moved({ day: 3, hour: 7 }, 'x')).toBeNull();
  });
});

it.each([
  ['en', 'Mon 07:00'],
  ['ja', '月曜日 07:00'],
] as const)('an hour of the week in %s is said without brackets', (language, said) => {
  expect(formatIn(language).weekTime(Date.UTC(2026, 2, 16, 6), 'Europe/Paris')).toBe(said);
});
