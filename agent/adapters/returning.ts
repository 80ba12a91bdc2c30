import type { Unsubscribe } from '../ports.ts';
import type { Kept } from './back-off.ts';

/** What cannot be watched is given back as if somebody had come, after this. */
const GIVE_UP_MS = 100;

/**
 * Calls `listener` once, at the first input that `arm` tells of. Calls it too where nobody can tell: when the conversation goes,
 * when there is none, when `arm` rejects.
 * @param arm Tells of input with `fire`, as often as it likes, from the call on. Answers how to stop it.
 */
export function onceReturned<Session>(
  kept: Pick<Kept<Session>, 'get' | 'watch'>,
  arm: (session: Session, fire: () => void) => Promise<() => void> | (() => void),
  listener: () => void,
): Unsubscribe {
  let armed: Session | null = null;
  let done = false;
  let giving: NodeJS.Timeout | undefined;
  let release = (): void => undefined;
  const finish = (): void => {
    done = true;
    clearTimeout(giving);
    off();
    release();
  };
  const fire = (): void => {
    if (done) return;
    finish();
    listener();
  };
  // Who cannot be woken must not sleep; nor ask again without end.
  const give = (): void => {
    if (!done) giving ??= setTimeout(fire, GIVE_UP_MS);
  };
  const begin = async (session: Session): Promise<void> => {
    if (done || armed === session) return;
    armed = session;
    const stop = await arm(session, fire);
    if (done) stop();
    else release = stop;
  };
  const off = kept.watch((session) => {
    if (session !== null) begin(session).catch(give);
    // What happens at the machine cannot be seen any more: somebody may be there.
    else if (armed !== null) fire();
  });
  void kept.get().then((session) => (session === null ? give() : begin(session).catch(give)));
  return finish;
}
