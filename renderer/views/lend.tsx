import type { SettingsPatch } from '../../core/settings.ts';
import { isOffered } from '../../core/snapshot.ts';
import { useFrame } from '../frame.ts';
import { useCommand, useSetting } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { Choice, Dial, Toggle } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { stopsWith } from './stop-dial.tsx';

/** GiB. */
const LENT = [10, 20, 50, 100, 200, 500, 1000, 2000, 4000, 8000] as const;
const FREE = [5, 10, 20, 50, 100, 200, 500] as const;
const CACHE = [1, 2, 5, 10, 20, 50, 100, 200, 500] as const;

type SizeProps = {
  readonly label: string;
  readonly meaning: string;
  readonly stops: readonly number[];
  readonly present: number;
  readonly patch: (gib: number) => SettingsPatch;
};

function Size({ label, meaning, stops, present, patch }: SizeProps) {
  const { text, format } = useFrame();
  const { value, change, failure, dismiss } = useSetting(present, patch);
  const all = stopsWith(stops, present);
  return (
    <>
      <Dial
        label={label}
        meaning={meaning}
        said={text.window.network.data(format.number(value))}
        value={Math.max(0, all.indexOf(value))}
        min={0}
        max={all.length - 1}
        step={1}
        onChange={(at) => change(all[at] ?? present)}
      />
      <FailureNotice title={text.window.limits.failed} failure={failure} onDismiss={dismiss} />
    </>
  );
}

/** Where what others keep lies; chosen in the system's own dialog. */
function Drive() {
  const { snapshot, commands, text } = useFrame();
  const words = text.window.lend;
  const { folder } = snapshot.settings.limits.storage;
  const { busy, failure, run, dismiss } = useCommand();
  return (
    <div className="drive">
      <p className="dial-label" id="drive">
        {words.drive}
      </p>
      <p className={folder === null ? 'drive-place' : 'drive-place mono'} data-testid="drive">
        {folder ?? words.driveOwn}
      </p>
      <div className="row">
        <Act
          className="button button-small"
          busy={busy}
          aria-describedby="drive"
          onPress={() => void run(() => commands.chooseFolder(null))}
        >
          {words.choose}
        </Act>
        {folder === null ? null : (
          <Act
            className="button button-small"
            busy={busy}
            onPress={() => void run(() => commands.updateSettings({ limits: { storage: { folder: null } } }))}
          >
            {words.driveBack}
          </Act>
        )}
      </div>
      <p className="meaning">{words.driveMeaning}</p>
      <FailureNotice title={words.driveFailed} failure={failure} onDismiss={dismiss} />
    </div>
  );
}

function Storage() {
  const { snapshot, text } = useFrame();
  const words = text.window.lend;
  const { lanes, limits } = snapshot.settings;
  const on = useSetting(
    lanes.storage.share === 'always',
    (lent) => ({ lanes: { storage: { share: lent ? 'always' : 'never' } } }),
    0,
  );
  return (
    <div className="column">
      <Toggle label={words.storageOn} meaning={words.storageOnMeaning} on={on.value} onChange={on.change} />
      <FailureNotice title={text.window.limits.failed} failure={on.failure} onDismiss={on.dismiss} />
      <Size
        label={words.lendGiB}
        meaning={words.lendGiBMeaning}
        stops={LENT}
        present={limits.storage.lendGiB}
        patch={(lendGiB) => ({ limits: { storage: { lendGiB } } })}
      />
      <Size
        label={words.minFree}
        meaning={words.minFreeMeaning}
        stops={FREE}
        present={limits.storage.minFreeGiB}
        patch={(minFreeGiB) => ({ limits: { storage: { minFreeGiB } } })}
      />
      <Drive />
    </div>
  );
}

function Bandwidth() {
  const { snapshot, text } = useFrame();
  const words = text.window.lend;
  const { lanes, limits } = snapshot.settings;
  const share = useSetting(lanes.bandwidth.share, (chosen) => ({ lanes: { bandwidth: { share: chosen } } }), 0);
  return (
    <div className="column">
      <div className="stack">
        <Choice
          label={words.bandwidthShare}
          value={share.value}
          options={[
            { value: 'never', label: words.bandwidthNever },
            { value: 'when-idle', label: words.bandwidthIdle },
            { value: 'always', label: words.bandwidthAlways },
          ]}
          onChange={share.change}
        />
        <p className="meaning">{words.bandwidthMeaning}</p>
      </div>
      <FailureNotice title={text.window.limits.failed} failure={share.failure} onDismiss={share.dismiss} />
      <Size
        label={words.cacheGiB}
        meaning={words.cacheGiBMeaning}
        stops={CACHE}
        present={limits.bandwidth.cacheGiB}
        patch={(cacheGiB) => ({ limits: { bandwidth: { cacheGiB } } })}
      />
    </div>
  );
}

/** What is lent of disk and line, and how much of it; the line's own limits stand with the rest of the network. */
export function Lend() {
  const { snapshot, text } = useFrame();
  const words = text.window.lend;
  const [storage, bandwidth] = [isOffered(snapshot, 'storage'), isOffered(snapshot, 'bandwidth')];
  if (!storage && !bandwidth) return null;
  return (
    <section className="panel" aria-labelledby="lend">
      <h2 id="lend">{words.limits}</h2>
      <p className="meaning">{words.limitsMeaning}</p>
      <div className={storage && bandwidth ? 'columns' : 'column'}>
        {storage ? <Storage /> : null}
        {bandwidth ? <Bandwidth /> : null}
      </div>
    </section>
  );
}
