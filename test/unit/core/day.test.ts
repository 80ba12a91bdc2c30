import { expect, test } from 'vitest';
import type { Policy } from '../../../core/policy.ts';
import { replay } from '../../support/day.ts';
import { policyFrom } from '../../support/rules.ts';

const lines = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');

type Story = {
  readonly trace: string;
  readonly timeline: string;
  readonly policy?: Policy;
  readonly midnight?: string;
  readonly timeZone?: string;
};

const GAMING_EVENING: Story = {
  trace: `
    17:55:00 leaves                    # an idle afternoon ends
    18:30:00 uses
    18:40:00 game Elden Ring
    18:40:20 fullscreen Elden Ring
    18:40:30 gpu 97
    19:30:00 leaves                    # a pause on the menu: the game still runs
    19:45:00 uses
    20:15:00 fullscreen none
    20:15:05 game none
    20:15:10 gpu 2
    20:15:30 leaves
    20:40:00 game Hades                # started from the sofa with a pad that counts as no input
    20:41:00 game none
    20:45:00 ends`,
  timeline: `
    17:55:00 both in-use
    17:58:00 both run
    18:30:00 both in-use
    18:40:00 both game Elden Ring
    20:15:05 cpu in-use
    20:15:05 gpu gpu-busy            # the load counts for five seconds or so, then the idle time
    20:15:21 gpu in-use
    20:18:30 both run
    20:40:00 both game Hades
    20:41:00 both settling after game
    20:41:29 both run                  # thirty seconds after it was last seen`,
};

const OFFICE_DAY: Story = {
  trace: `
    08:00:00 leaves
    09:00:00 uses
    10:30:00 leaves                    # a short word at the door, and back
    10:32:30 uses
    12:00:00 leaves
    12:00:05 locks                     # lunch: a locked screen need not be waited for
    12:45:00 unlocks
    12:45:00 uses
    14:00:00 leaves                    # a meeting, with a build that goes on
    14:00:00 cpu 95
    14:20:00 cpu 6
    14:35:00 touches                   # the mouse is knocked
    14:50:00 uses
    17:30:00 leaves
    18:00:00 ends`,
  timeline: `
    08:00:00 both in-use
    08:03:00 both run
    09:00:00 both in-use
    12:00:10 both run
    12:45:00 both in-use
    14:03:00 both cpu-busy
    14:20:05 both settling after cpu-busy
    14:21:04 both run
    14:35:00 both in-use
    14:38:00 both run
    14:50:00 both in-use
    17:33:00 both run`,
};

const FILM: Story = {
  trace: `
    20:00:00 uses
    20:05:00 media Firefox             # begins in a window: sound, nobody touches anything
    20:05:30 leaves
    20:20:00 fullscreen Firefox
    21:10:00 touches                   # louder
    21:40:00 fullscreen none           # a look at the clock
    21:40:20 fullscreen Firefox
    22:10:00 media none                # the end: titles in fullscreen
    22:12:00 fullscreen none
    22:30:00 ends`,
  timeline: `
    20:00:00 both in-use
    20:05:00 both media Firefox
    20:20:00 both fullscreen Firefox
    21:40:00 both media Firefox
    21:40:20 both fullscreen Firefox
    22:12:00 both settling after fullscreen
    22:12:14 both run`,
};

const REMOTE_SESSION: Story = {
  trace: `
    09:00:00 leaves
    09:10:00 locks                     # nobody is at the desk all day
    11:00:00 uses                      # somebody types over ssh: use is use, locked or not
    11:20:00 leaves
    11:30:00 vram 6                    # and trains a model: on the card, not at the keys
    11:50:00 gpu 1
    12:30:00 cpu 80
    12:40:00 cpu 4
    13:00:00 ends`,
  timeline: `
    09:00:00 both in-use
    09:03:00 both run
    11:00:00 both in-use
    11:20:10 both run
    11:30:00 gpu gpu-memory
    11:50:00 gpu settling after gpu-memory
    11:50:29 gpu run
    12:30:06 both cpu-busy
    12:40:04 both settling after cpu-busy
    12:41:03 both run`,
};

const LAPTOP_ON_A_TRAIN: Story = {
  trace: `
    07:00:00 leaves
    07:20:00 power battery
    07:50:00 power mains               # the socket at the seat
    07:50:30 power battery             # that does not hold
    07:51:00 power mains
    08:00:00 network metered           # the train's network
    08:05:00 lease 1                   # what is in hand may be finished
    08:16:00 lease 0
    08:20:00 network free
    08:32:00 hot 93
    08:33:00 hot 70
    08:40:00 sensor fullscreen
    08:40:03 fullscreen none
    08:45:00 coordinator away          # a tunnel
    08:50:00 coordinator back
    09:00:00 ends`,
  timeline: `
    07:00:00 both in-use
    07:03:00 both run
    07:20:00 both on-battery
    07:50:00 both settling after on-battery
    07:50:09 both run
    07:50:30 both on-battery
    07:51:00 both settling after on-battery
    07:51:19 both run                  # the second time soon: twice as long
    08:00:00 both metered
    08:05:00 both run
    08:16:00 both metered
    08:20:00 both settling after metered
    08:20:09 both run
    08:32:00 both too-hot
    08:33:00 both settling after too-hot
    08:33:59 both run
    08:40:00 both sensor-unknown fullscreen
    08:40:03 both settling after sensor-unknown
    08:40:22 both run
    08:45:00 both coordinator-away
    08:50:00 both run`,
};

const nights = Array.from({ length: 7 }, () => `${'1'.repeat(7)}${'0'.repeat(15)}11`);
const LONG_NIGHT: Story = {
  midnight: '2026-10-24T00:00:00Z',
  timeZone: 'Europe/Berlin',
  policy: policyFrom({ schedule: { timeZone: 'system', week: nights } }),
  // Hours of UTC. Berlin is two hours ahead until 01:00 UTC of the 25th (25:00 here), one hour from then on.
  trace: `
    18:00:00 leaves
    22:30:00 touches
    30:30:00 uses
    31:00:00 ends`,
  timeline: `
    18:00:00 both schedule-closed
    20:00:00 both run                  # 22:00 in summer time
    22:30:00 both in-use
    22:33:00 both run
    30:00:00 both schedule-closed      # 07:00 in winter time: the night had ten hours`,
};
const SHORT_NIGHT: Story = {
  ...LONG_NIGHT,
  midnight: '2026-03-28T00:00:00Z',
  trace: `
    18:00:00 leaves
    31:00:00 ends`,
  timeline: `
    18:00:00 both schedule-closed
    21:00:00 both run                  # 22:00 in winter time
    29:00:00 both schedule-closed      # 07:00 in summer time: eight hours`,
};

test.each<[string, Story]>([
  ['a gaming evening', GAMING_EVENING],
  ['an office day', OFFICE_DAY],
  ['a film', FILM],
  ['a remote session', REMOTE_SESSION],
  ['a laptop on a train', LAPTOP_ON_A_TRAIN],
  ['the night that has an hour more', LONG_NIGHT],
  ['the night that has an hour less', SHORT_NIGHT],
])('%s', (_name, { trace, timeline, policy = policyFrom(), midnight = '2026-01-15T00:00:00Z', timeZone = 'UTC' }) => {
  expect(replay(trace, { policy, midnight, timeZone })).toEqual(lines(timeline));
});
