import { useId, useMemo } from 'react';
import { Button } from 'react-aria-components';
import { type Schedule, scheduleAt } from '../../core/schedule.ts';
import { useFrame } from '../frame.ts';
import { useNow, useSetting } from '../hooks.ts';
import { Toggle } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { ALWAYS, NIGHTS_AND_WEEKENDS, type Place, type Week } from '../week.ts';
import { WeekGrid } from './week-grid.tsx';

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const systemZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

function placeAt(now: number, timeZone: string): Place {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: '2-digit', hourCycle: 'h23' });
  const said = Object.fromEntries(parts.formatToParts(now).map(({ type, value }) => [type, value]));
  return { day: WEEKDAYS.indexOf(said['weekday'] ?? ''), hour: Number(said['hour']) };
}

function Standing({ schedule, now }: { readonly schedule: Schedule; readonly now: number }) {
  const { text, format } = useFrame();
  const words = text.window.schedule;
  const { open, changesAt } = scheduleAt(schedule, now, systemZone());
  const zone = schedule.timeZone === 'system' ? systemZone() : schedule.timeZone;
  const when = changesAt === null ? null : format.weekTime(changesAt, zone);
  const said = open
    ? when === null
      ? words.openAlways
      : words.openUntil(when)
    : when === null
      ? words.opensNever
      : words.opensAt(when);
  return <p role="status">{said}</p>;
}

/** One text for the whole, because a setting is one value: the zone and the week, or nothing where there is no schedule. */
const written = (schedule: Schedule | null): string =>
  schedule === null ? '' : [schedule.timeZone, ...schedule.week].join('|');
function read(value: string): Schedule | null {
  const [timeZone = '', ...week] = value.split('|');
  return timeZone === '' ? null : { timeZone, week };
}

export function Hours() {
  const { snapshot, text } = useFrame();
  const words = text.window.schedule;
  const id = useId();
  const now = useNow();
  const { value, change, failure, dismiss } = useSetting(written(snapshot.settings.schedule), (said) => ({
    schedule: read(said),
  }));
  const schedule = useMemo(() => read(value), [value]);
  const zones = useMemo(() => Intl.supportedValuesOf('timeZone'), []);
  const set = (week: Week, timeZone = schedule?.timeZone ?? 'system'): void =>
    change(written({ timeZone, week: [...week] }));
  return (
    <section className="panel" aria-labelledby="hours">
      <h2 id="hours">{words.title}</h2>
      <Toggle
        label={words.on}
        meaning={words.onMeaning}
        on={schedule !== null}
        onChange={(on) => (on ? set(NIGHTS_AND_WEEKENDS) : change(''))}
      />
      {schedule === null ? null : (
        <>
          <Standing schedule={schedule} now={now} />
          <WeekGrid
            week={schedule.week}
            current={placeAt(now, schedule.timeZone === 'system' ? systemZone() : schedule.timeZone)}
            onChange={(week) => set(week)}
          />
          <p className="meaning">{words.help}</p>
          <div className="row">
            <Button className="button button-small" onPress={() => set(ALWAYS)}>
              {words.all}
            </Button>
            <Button className="button button-small" onPress={() => set(NIGHTS_AND_WEEKENDS)}>
              {words.nights}
            </Button>
          </div>
          <div className="field">
            <label htmlFor={id}>{words.zone}</label>
            <select
              id={id}
              className="input select"
              value={schedule.timeZone}
              onChange={(event) => set(schedule.week, event.currentTarget.value)}
            >
              <option value="system">{words.zoneSystem(systemZone())}</option>
              {[...new Set([...zones, ...(schedule.timeZone === 'system' ? [] : [schedule.timeZone])])].map((zone) => (
                <option key={zone} value={zone}>
                  {zone}
                </option>
              ))}
            </select>
          </div>
        </>
      )}
      <FailureNotice title={text.window.limits.failed} failure={failure} onDismiss={dismiss} />
    </section>
  );
}
