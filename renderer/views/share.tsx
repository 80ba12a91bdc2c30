import type { GpuRefusal } from '../../core/gpu-grants.ts';
import { isJobLane, type JobLane, LANES } from '../../core/primitives.ts';
import type { ShareChoice } from '../../core/settings.ts';
import { isOffered } from '../../core/snapshot.ts';
import { useFrame } from '../frame.ts';
import { useSetting } from '../hooks.ts';
import { Choice, Dial, Toggle } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { IDLE_STOPS } from './rules.tsx';

/** As in general: no idle time is 0. */
const GENERAL = 0;

/** The idle time of one lane; its first stop is the general one. */
function OwnIdle({ lane }: { readonly lane: JobLane }) {
  const { snapshot, text, format } = useFrame();
  const words = text.window.yielding;
  const { rules, lanes } = snapshot.settings;
  const present = lanes[lane].rules.idleAfterSeconds ?? GENERAL;
  const idle = useSetting(present, (seconds) => ({
    lanes: { [lane]: { rules: { idleAfterSeconds: seconds === GENERAL ? undefined : seconds } } },
  }));
  const stops = [...new Set([GENERAL, ...IDLE_STOPS, present])].sort((a, b) => a - b);
  return (
    <>
      <Dial
        label={`${words.ownIdle} – ${text.window.lane(lane)}`}
        meaning={text.window.limits.idleMeaning}
        said={
          idle.value === GENERAL
            ? words.asGeneral(format.span(rules.idleAfterSeconds * 1000))
            : format.span(idle.value * 1000)
        }
        value={Math.max(0, stops.indexOf(idle.value))}
        min={0}
        max={stops.length - 1}
        step={1}
        onChange={(at) => idle.change(stops[at] ?? present)}
      />
      <FailureNotice title={text.window.limits.failed} failure={idle.failure} onDismiss={idle.dismiss} />
    </>
  );
}

type ShareProps = {
  readonly label: string;
  readonly present: ShareChoice;
  readonly patch: Parameters<typeof useSetting<ShareChoice>>[1];
};

function Share({ label, present, patch }: ShareProps) {
  const { text } = useFrame();
  const words = text.window.yielding;
  const { value, change, failure, dismiss } = useSetting(present, patch, 0);
  return (
    <>
      <Choice
        label={label}
        value={value}
        options={[
          { value: 'when-idle', label: words.whenIdle },
          { value: 'always', label: words.always },
          { value: 'never', label: words.never },
        ]}
        onChange={change}
      />
      <FailureNotice title={text.window.limits.failed} failure={failure} onDismiss={dismiss} />
    </>
  );
}

/** Why Docker cannot hand a card to work, and what would help. */
function GpuRefused({ why }: { readonly why: GpuRefusal }) {
  const { text } = useFrame();
  const { said, fix } = text.window.yielding.gpuRefused(why);
  return (
    <p className="meaning gpu-refused">
      <strong>{said}</strong> {fix}
    </p>
  );
}

function Gpus() {
  const { snapshot, text } = useFrame();
  const { gpus, lanes } = snapshot.settings;
  return snapshot.gpus.map(({ id, name, decision }) => (
    <div className="share" key={id}>
      <Share
        label={name}
        present={gpus[id]?.share ?? lanes.gpu.share}
        patch={(share) => ({ gpus: { [id]: { share } } })}
      />
      {lanes.gpu.share === 'never' ? <p className="meaning">{text.window.yielding.gpuClosed}</p> : null}
      {decision.kind === 'hold' && decision.reason.kind === 'gpu-refused' ? (
        <GpuRefused why={decision.reason.why} />
      ) : null}
    </div>
  ));
}

/** What is shared, and when: each lane, and each graphics card where there are some. */
export function Shares() {
  const { snapshot, text } = useFrame();
  const words = text.window.limits;
  // What is lent all the time is chosen with its sizes.
  const shown = LANES.filter((lane) => isJobLane(lane) || !isOffered(snapshot, lane));
  return (
    <section className="panel" aria-labelledby="lanes">
      <h2 id="lanes">{words.lanes}</h2>
      {shown.map((lane) =>
        !isJobLane(lane) || !isOffered(snapshot, lane) ? (
          <Toggle
            key={lane}
            label={text.window.lane(lane)}
            meaning={words.laneNotOffered}
            on={false}
            disabled
            onChange={() => undefined}
          />
        ) : (
          <div className="share" key={lane}>
            <Share
              label={text.window.lane(lane)}
              present={snapshot.settings.lanes[lane].share}
              patch={(share) => ({ lanes: { [lane]: { share } } })}
            />
            <OwnIdle lane={lane} />
          </div>
        ),
      )}
      <Gpus />
    </section>
  );
}
