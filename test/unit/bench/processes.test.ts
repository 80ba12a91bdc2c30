import { expect, it } from 'vitest';
import {
  Growth,
  median,
  parsePss,
  parseStat,
  parseVoluntarySwitches,
  treeOf,
  unseenTicks,
} from '../../bench/rest/processes.ts';

it('reads the parent, the ticks of a process and of its ended children, and its beginning, whatever its name', () => {
  const stat = '812 (a) b (c) S 77 812 812 0 -1 4194560 1 2 3 4 10 20 3 4 20 0 5 0 99123 1000 200';
  expect(parseStat(stat)).toEqual({ parent: 77, ticks: 30, reaped: 7, start: '99123' });
});

it('reads memory and voluntary switches only, not their namesakes', () => {
  expect(parsePss('Rss:  900 kB\nPss:   177 kB\nPss_Anon: 5 kB\nSwapPss: 7 kB\n')).toBe(177);
  expect(parseVoluntarySwitches('voluntary_ctxt_switches:\t41\nnonvoluntary_ctxt_switches:\t7\n')).toBe(41);
  expect(parsePss('')).toBeNaN();
});

it('follows a tree in whatever order its processes are listed', () => {
  const parents = new Map([
    [30, 20],
    [20, 10],
    [10, 1],
    [40, 1],
  ]);
  expect([...treeOf(10, parents)].toSorted()).toEqual([10, 20, 30]);
});

it('counts what grew since the first look, and all of what began later', () => {
  const growth = new Growth();
  growth.look(new Map([['old', 100]]));
  expect(growth.total).toBe(0);
  growth.look(
    new Map([
      ['old', 103],
      ['new', 5],
    ]),
  );
  growth.look(new Map([['new', 6]]));
  expect(growth.total).toBe(9);
});

it('finds what children used that nobody saw, and counts nothing twice', () => {
  const stat = (ticks: number, reaped: number) => ({ parent: 1, ticks, reaped, start: '' });
  const before = new Map([
    ['parent', stat(10, 100)],
    ['child', stat(40, 0)],
  ]);
  // The seen child ended with 42 ticks in all; another came and went with 5.
  expect(unseenTicks(before, new Map([['parent', stat(11, 147)]]))).toBe(7);
  expect(unseenTicks(before, before)).toBe(0);
  // Its end is not in anybody's sum: that takes nothing off.
  expect(unseenTicks(before, new Map([['parent', stat(11, 100)]]))).toBe(0);
});

it('takes the middle, of an even count the mean of both', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
