import { Button, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import type { Reason } from '../../core/decide.ts';
import type { PauseChoice } from '../../core/policy.ts';
import { isJobLane } from '../../core/primitives.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import { momentAt } from '../format.ts';
import { type Frame, useFrame } from '../frame.ts';
import { useCommand, useNow } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { Icon } from '../parts/icons.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { Mesh } from './mesh.tsx';

const PAUSES = ['hour', 'tomorrow', 'resumed'] as const satisfies readonly PauseChoice[];

/** Disk and line are lent, and no job may run. */
const lendsAlone = ({ presence, lanes }: Snapshot): boolean =>
  presence === 'sharing' && !lanes.some(({ lane, decision }) => isJobLane(lane) && decision.kind === 'run');

function headline({ snapshot, text }: Frame, now: number): string {
  if (snapshot.reason !== null) return text.reason(snapshot.reason, momentAt(now));
  const words = text.window.overview;
  const problem = snapshot.problems[0];
  if (snapshot.presence === 'attention' && problem !== undefined) return text.problem(problem).title;
  if (snapshot.settings.sharing.draining && snapshot.running.length > 0) return text.window.drain.draining;
  const active = snapshot.running.filter((job) => job.phase !== 'frozen').length;
  if (active === 0 && lendsAlone(snapshot)) return text.window.lend.alone;
  if (active === 0) return snapshot.running.length > 0 ? words.frozen : words.sharingIdle;
  return snapshot.settings.sharing.mode === 'now' ? words.sharingNow(active) : words.sharingJobs(active);
}

function promise({ snapshot, text }: Frame): string {
  const words = text.window.overview;
  if (snapshot.settings.sharing.draining) return text.window.drain.promise;
  switch (snapshot.presence) {
    case 'sharing':
      if (lendsAlone(snapshot)) return text.window.lend.alonePromise;
      return snapshot.settings.sharing.mode === 'now' ? words.promiseNow : words.promise;
    case 'paused':
      return words.promisePaused;
    case 'attention':
      return words.promiseAttention;
    case 'waiting':
      return words.promiseWaiting;
  }
}

/** 1 when the owner has just touched the machine, 0 when sharing begins. */
function countdownOf(reason: Reason | null, settings: Snapshot['settings'], now: number): number | null {
  if (reason?.kind !== 'in-use') return null;
  return Math.min(1, Math.max(0, (reason.resumesAt - now) / (settings.rules.idleAfterSeconds * 1000)));
}

function Actions() {
  const { snapshot, commands, text } = useFrame();
  const { busy, failure, run, dismiss } = useCommand();
  const { mode, draining } = snapshot.settings.sharing;
  const words = text.tray;
  const pauseNames: Readonly<Record<PauseChoice, string>> = {
    hour: words.pauseHour,
    tomorrow: words.pauseTomorrow,
    resumed: words.pauseResumed,
  };
  const other = mode === 'now' ? 'when-idle' : 'now';
  return (
    <div className="hero-actions">
      {snapshot.presence === 'paused' || draining ? (
        <Act className="button button-main" busy={busy} onPress={() => void run(() => commands.resume(null))}>
          {words.resume}
        </Act>
      ) : (
        <>
          <Act className="button button-main" busy={busy} onPress={() => void run(() => commands.shareMode(other))}>
            {other === 'now' ? words.shareNow : words.shareWhenIdle}
          </Act>
          <MenuTrigger>
            <Button className="button">
              {words.pause}
              <Icon name="down" />
            </Button>
            <Popover className="popover" placement="bottom start">
              <Menu
                className="menu"
                aria-label={text.window.overview.pauseMenu}
                onAction={(key) => {
                  const choice = PAUSES.find((each) => each === key);
                  if (choice !== undefined) void run(() => commands.pause(choice));
                }}
              >
                {PAUSES.map((choice) => (
                  <MenuItem className="menu-item" key={choice} id={choice}>
                    {pauseNames[choice]}
                  </MenuItem>
                ))}
              </Menu>
            </Popover>
          </MenuTrigger>
          <Act className="button" busy={busy} onPress={() => void run(() => commands.finishThenStop(null))}>
            {text.window.drain.finish}
          </Act>
        </>
      )}
      <FailureNotice failure={failure} onDismiss={dismiss} />
    </div>
  );
}

/** The machine's state as a sentence and as a living picture; always in night colours, whatever the theme. */
export function Hero() {
  const frame = useFrame();
  const { snapshot, text } = frame;
  const now = useNow();
  return (
    <section className="hero" data-theme="dark" data-presence={snapshot.presence}>
      <div className="hero-words">
        <p className="presence" data-presence={snapshot.presence}>
          {text.presence(snapshot.presence)}
        </p>
        <h1 className="hero-headline">{headline(frame, now)}</h1>
        <p className="hero-promise">{promise(frame)}</p>
        <Actions />
      </div>
      <Mesh countdown={countdownOf(snapshot.reason, snapshot.settings, now)} />
    </section>
  );
}
